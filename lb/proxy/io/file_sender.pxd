from libc.stdint cimport uint32_t

from lb.proxy.io.wire cimport Wire

cdef class FileSender(Wire):
    cdef int waits
    cpdef Py_ssize_t send_file(self, bytes head, int file, Py_ssize_t at, Py_ssize_t size) except -2
    cdef int on_events(self, uint32_t events) except -1
    cdef int _send_head(self, char* head, Py_ssize_t size) except -1
    cdef Py_ssize_t _send_copies(self, bytes head, int file, Py_ssize_t at, Py_ssize_t size) except -2
    cdef int _wait(self, int what) except -1
    cdef Py_ssize_t _ended(self, Py_ssize_t sent) except -2
