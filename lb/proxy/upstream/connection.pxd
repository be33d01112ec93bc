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
    cdef public bint reused, pooled, securing
    cdef public bytes greeting
    cdef public int first_error
    @cython.locals(error=int, instance=Instance, family=int, packed=bytes)
    cpdef int reach(self)
    @cython.locals(instance=Instance)
    cpdef bint _prepare(self) except -1
    @cython.locals(instance=Instance)
    cpdef str why(self, int error)
    cpdef str detail(self, str cause, int error)
    cpdef str why_lost(self)
    @cython.locals(end=bytes, text=bytes)
    cpdef request(self, RequestHead head, bytes lines, bytes fields, bytes identity, bytes protocol, bint keep_alive)
    @cython.locals(instance=Instance)
    cpdef release(self, bint keep)
    cdef left_pool(self)
    cpdef part(self)
    cpdef _await_end(self)
