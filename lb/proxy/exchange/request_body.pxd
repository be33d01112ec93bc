cimport cython

from lb.http.body cimport Body
from lb.http.head cimport Limits, RequestHead

from lb.proxy.io.read_buffer cimport ReadBuffer
from lb.proxy.upstream.connection cimport Upstream

# Constants of these types; those of other modules are imported into them.
cdef int CHUNKED, LENGTH

cdef class RequestBody:
    cdef public Py_ssize_t received
    cdef public bint done
    cdef Body _body
    cdef bytes _replay
    @cython.locals(size=Py_ssize_t, body=Body, trailers=bytes)
    cpdef send(self, ReadBuffer source, Upstream upstream, bint idempotent)
    cpdef bint repeatable(self)
