from lb.http.body cimport Body
from lb.http.frame_writer cimport FrameWriter
from lb.http.frames cimport FrameReader
from lb.http.head cimport Limits, RequestHead, ResponseHead

from lb.proxy.io.poller cimport Watched

cdef class ReadBuffer(Watched):
    cdef readonly Py_ssize_t have, ready
    cdef char* data
    cdef char* rest
    cdef char* span
    cdef Py_ssize_t rest_size, searched

    cpdef fill(self, bytes data)
    cpdef RequestHead scan_request(self, Limits limits)
    cpdef ResponseHead scan_response(self, Limits limits)
    cpdef drop(self, Py_ssize_t n)
    cpdef Py_ssize_t read_body(self, Body body) except -1
    cpdef Py_ssize_t read_up_to(self, Py_ssize_t n) except -1
    cpdef Py_ssize_t read_raw(self) except -1
    cpdef int read_frame(self, FrameReader frames) except -2
    cpdef write_frame(self, FrameWriter writer, long stream, Py_ssize_t n, bint ended)
    cpdef borrow(self, ReadBuffer source)
    cpdef settle(self)
    cpdef gather(self, ReadBuffer source)
    cpdef bytes take_ready(self)
    cpdef object view(self, Py_ssize_t n)
    cpdef free_if_empty(self)

    cdef int make_room(self, Py_ssize_t room) except -1
    cdef int keep(self) except -1
