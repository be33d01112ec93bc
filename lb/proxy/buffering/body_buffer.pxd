cimport cython

from lb.proxy.buffering.request_buffers cimport RequestBuffers
from lb.proxy.upstream.connection cimport Upstream

cdef Py_ssize_t _PIECE
cdef int _PIECES

cdef class BodyBuffer:
    cdef public object client
    cdef readonly bint is_writing
    cdef readonly Py_ssize_t size
    cdef RequestBuffers _buffers
    cdef Py_ssize_t _limit, _stored, _sent
    cdef object _when_written, _file, _memory
    cdef bint _is_closed
    cpdef bint add(self, bytes data) except -1
    cdef _write(self)
    cpdef go_on(self)
    cpdef rewind(self)
    @cython.locals(moved=Py_ssize_t)
    cpdef bint send(self, Upstream upstream) except -1
    cpdef bint send_first(self, Upstream upstream) except -1
    cdef bytes _read_back(self)
    cpdef bint is_sent(self)
    cpdef close(self)
    cdef _give_back(self)
