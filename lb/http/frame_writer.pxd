cdef class FrameWriter:
    cdef readonly Py_ssize_t pending
    cdef char* out
    cdef Py_ssize_t out_size
    cdef bint begun

    cpdef bytes take(self)
    cdef clear(self)
    cpdef response(self, long stream, bytes lines, bytes more, bint ended)
    cpdef request(self, long stream, bytes head, bytes scheme, bytes more, bint ended)
    cpdef trailers(self, long stream, bytes lines)
    cpdef data(self, long stream, bytes payload, bint ended)
    cpdef data_head(self, long stream, Py_ssize_t size, bint ended)
    cpdef settings(self, tuple entries)
    cpdef settings_ack(self)
    cpdef ping(self, bytes payload, bint ack)
    cpdef goaway(self, long last_stream, long code, bytes debug)
    cpdef reset(self, long stream, long code)
    cpdef window_update(self, long stream, long increment)

    cdef int put_data(self, long stream, const char* payload, Py_ssize_t size, bint ended) except -1
    cdef char* put_frame(self, int kind, int flags, long stream, Py_ssize_t size, Py_ssize_t after) except NULL
    cdef int put_block(self, long stream, const char* block, Py_ssize_t size, bint ended) except -1
