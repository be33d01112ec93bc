from lb.routing.instance cimport Instance

from .engine cimport Engine
from .exchange cimport Exchange
from .wire cimport Wire

cdef double NEVER, LONGEST_IDLE

cdef class Upstream(Wire):
    cdef public Engine engine
    cdef public Instance instance
    cdef public Exchange exchange
    cdef public double idle_since
    cdef public bint reused, pooled
    cpdef release(self, bint keep)
