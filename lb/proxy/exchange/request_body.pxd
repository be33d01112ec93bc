cimport cython

from lb.http.body cimport Body
from lb.http.head cimport Limits, RequestHead

from lb.proxy.buffering.body_buffer cimport BodyBuffer
from lb.proxy.io.read_buffer cimport ReadBuffer
from lb.proxy.upstream.connection cimport Upstream

# Constants of these types; those of other modules are imported into them.
cdef int CHUNKED, LENGTH

cdef class RequestBody:
    cdef public Py_ssize_t received
    cdef public bint done
    cdef Body _body
    cdef bytes _replay
    cdef public BodyBuffer buffer
    cdef bint _is_answered
    @cython.locals(size=Py_ssize_t)
    cpdef bint collect(self, ReadBuffer source) except -1
    cpdef begin_again(self)
    @cython.locals(size=Py_ssize_t, body=Body, trailers=bytes)
    cpdef send(self, ReadBuffer source, Upstream upstream, bint idempotent)
    @cython.locals(buffer=BodyBuffer)
    cdef bint _send_collected(self, Upstream upstream) except -1
    cpdef bint is_unsent(self)
    cpdef bint repeatable(self)
    cpdef answered(self)
    cpdef discard(self)
