cimport cython

from ..instance cimport Instance
from .balancer cimport Balancer
from .round_robin cimport RoundRobin

cdef class Sticky(Balancer):
    cdef RoundRobin _others
    @cython.locals(instance=Instance)
    cpdef Instance pick(self, list instances, list tried, bytes key, double now)
