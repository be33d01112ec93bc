cimport cython

from lb.routing.instance cimport Instance

from .upstream cimport Upstream

@cython.locals(idle=list, upstream=Upstream)
cpdef Upstream take_idle(Instance instance, bint unsafe, double now)
