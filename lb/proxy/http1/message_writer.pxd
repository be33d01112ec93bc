cimport cython

from lb.proxy.io.file_sender cimport FileSender
from lb.proxy.io.read_buffer cimport ReadBuffer

cdef class MessageWriter(FileSender):
    cdef bytes _opening
    cdef bint _chunking
    cpdef begin(self, bytes head, bint chunked)
    @cython.locals(prefix=bytes, end=bytes, size=Py_ssize_t)
    cpdef body(self, ReadBuffer source, bytes trailers)
    @cython.locals(text=bytes)
    cpdef piece(self, bytes data, bytes trailers)
    @cython.locals(head=bytes)
    cpdef Py_ssize_t transfer(self, int file, Py_ssize_t at, Py_ssize_t size) except -2
