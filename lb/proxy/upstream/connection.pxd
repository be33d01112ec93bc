cimport cython

from lb.routing.instance cimport Instance

from lb.proxy.handler cimport Handler
from lb.proxy.engine cimport Engine
from lb.http.head cimport RequestHead

from lb.proxy.http1.message_writer cimport MessageWriter

cdef double NEVER, LONGEST_IDLE, _LINGER

cdef class Upstream(MessageWriter):
    cdef public Engine engine
    cdef public Instance instance
    cdef public double idle_since
    cdef public bint reused, pooled
    @cython.locals(error=int)
    cpdef int reach(self)
    @cython.locals(instance=Instance)
    cpdef str why(self, int error)
    @cython.locals(end=bytes, text=bytes)
    cpdef request(self, RequestHead head, bytes lines, bytes fields, bytes identity, bytes protocol, bint keep_alive)
    cpdef release(self, bint keep)
    cdef left_pool(self)
    cpdef part(self)
    cpdef _await_end(self)
