cimport cython

from lb.http.body cimport Body
from lb.http.head cimport Limits, RequestHead, ResponseHead

from lb.proxy.downstream cimport Downstream
from lb.proxy.io.read_buffer cimport ReadBuffer

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
    cdef public bint waiting, lagging, streamed, lacks_length
    cdef bytes _coding, _lines, _date
    cdef bint _persistent
    cpdef int _framing(self, Limits limits) except -1
    cpdef Py_ssize_t _read(self, ReadBuffer source) except -1
    cpdef bytes _trailers(self)
    @cython.locals(kind=int)
    cpdef bytes start(self, ReadBuffer source, compression, bint can_stream)
    cpdef hold(self, bytes lines, bytes date, bint persistent)
    @cython.locals(status=int)
    cpdef bint _has_body_for_get(self)
    cpdef bint _may_be_encoded(self, compression)
    cpdef bint ends_by_close(self, Downstream client)
    @cython.locals(trailers=bytes)
    cpdef relay(self, ReadBuffer source, Downstream client)
    cpdef end(self, Downstream client)
    @cython.locals(size=Py_ssize_t, whole=bytes)
    cpdef _relay_whole(self, ReadBuffer source, Downstream client)
    @cython.locals(size=Py_ssize_t)
    cpdef bytes _encode(self, bytes kept, ReadBuffer source, compression)
    cpdef flush(self, ReadBuffer source, Downstream client)
    @cython.locals(piece=bytes, trailers=bytes)
    cpdef _relay_encoded(self, ReadBuffer source, Downstream client, bint flushing)
