cimport cython

from lb.http.body cimport Body
from lb.http.head cimport Limits, RequestHead, ResponseHead

from lb.proxy.http1.connection cimport Client
from lb.proxy.upstream.connection cimport Upstream

# Constants of these types; those of other modules are imported into them.
cdef int CHUNKED, CLOSE, LENGTH, NONE
cdef Py_ssize_t _COLLECTED

cdef class ResponseBody:
    cdef public int kind
    cdef public bint done
    cdef public Py_ssize_t sent
    cdef Py_ssize_t _left
    cdef Body _chunks
    cdef RequestHead _head
    cdef ResponseHead _response
    cdef object _encoder
    cdef public bint waiting, lagging
    cdef bytes _coding, _text
    cdef bint _chunking
    cpdef int _framing(self, Limits limits) except -1
    cpdef Py_ssize_t _read(self, Upstream upstream) except -1
    cpdef bytes _trailers(self)
    @cython.locals(kind=int)
    cpdef bytes start(self, Upstream upstream, compression)
    @cython.locals(status=int)
    cpdef bint _has_body_for_get(self)
    cpdef bint ends_by_close(self)
    @cython.locals(size=Py_ssize_t)
    cpdef relay(self, bytes prefix, Upstream upstream, Client client)
    cpdef end(self, Client client)
    @cython.locals(size=Py_ssize_t, whole=bytes)
    cpdef _relay_whole(self, bytes prefix, Upstream upstream, Client client)
    @cython.locals(size=Py_ssize_t)
    cpdef bytes _encode(self, bytes kept, Upstream upstream, compression)
    cpdef flush(self, Upstream upstream, Client client)
    cpdef bint is_between_chunks(self)
    cpdef _relay_encoded(self, bytes prefix, Upstream upstream, Client client, bint flushing)
