from lb.proxy.handler cimport Handler
from lb.proxy.io.read_buffer cimport ReadBuffer

cdef class Downstream(ReadBuffer):
    cdef readonly Handler handler
    cdef public double deadline, due
    cdef public int slot
    cdef public int failure
    cdef public bint closed, full, paused, can_stream, is_http2, large_reads, leaving
    cpdef set_up(self)
    cpdef tell(self, Handler handler)
    cpdef read_much(self, bint much)
    cpdef pause(self)
    cpdef resume(self)
    cpdef read_on(self)
    cpdef arm(self)
    cpdef head(self, bytes lines, bytes date, bint persistent, bint streamed)
    cpdef body(self, ReadBuffer source, bytes trailers)
    cpdef piece(self, bytes data, bytes trailers)
    cpdef Py_ssize_t transfer(self, int file, Py_ssize_t at, Py_ssize_t size) except -2
    cpdef give_way(self)
    cpdef interim(self, bytes lines)
    cpdef switch(self, bytes lines, bytes protocol)
    cpdef bytes offered(self, bytes lines, bytes _protocol)
    cpdef probe(self, bint head_out)
    cpdef end(self)
    cpdef abort(self)
    cpdef reset(self)
    cpdef done(self, bint keep_alive, bint unread)
    cpdef expired(self)
