cimport cython

from lb.routing.instance cimport Instance
from lb.routing.balancers.balancer cimport Balancer
from lb.routing.balancers.round_robin cimport RoundRobin

cdef class Sticky(Balancer):
    cdef RoundRobin _others
    @cython.locals(instance=Instance)
    cpdef Instance pick(self, list instances, list tried, bytes key, double now)
