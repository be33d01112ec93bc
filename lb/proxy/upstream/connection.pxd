cimport cython

from lb.routing.instance cimport Instance

from lb.proxy.handler cimport Handler
from lb.proxy.engine cimport Engine
from lb.proxy.io.wire cimport Wire

cdef double NEVER, LONGEST_IDLE, _LINGER

cdef class Upstream(Wire):
    cdef public Engine engine
    cdef public Instance instance
    cdef public Handler handler
    cdef public double idle_since
    cdef public bint reused, pooled
    @cython.locals(error=int)
    cpdef int reach(self)
    @cython.locals(instance=Instance)
    cpdef str why(self, int error)
    cpdef release(self, bint keep)
    cpdef part(self)
    cpdef _await_end(self)
