cimport cython

from lb.routing.instance cimport Instance

from lb.proxy.upstream.connection cimport Upstream

cdef double PROOF

@cython.locals(idle=list, upstream=Upstream, oldest=Upstream)
cpdef Upstream take_idle(Instance instance, bint unsafe, double now)

@cython.locals(oldest=Upstream)
cpdef bint may_connect(Instance instance)
