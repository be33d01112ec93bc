cimport cython

from lb.proxy.io.read_buffer cimport ReadBuffer
from lb.proxy.io.wire cimport Wire

cdef class MessageWriter(Wire):
    cdef bytes _opening
    cdef bint _chunking
    cpdef begin(self, bytes head, bint chunked)
    @cython.locals(prefix=bytes, end=bytes, size=Py_ssize_t)
    cpdef body(self, ReadBuffer source, bytes trailers)
    @cython.locals(text=bytes)
    cpdef piece(self, bytes data, bytes trailers)
