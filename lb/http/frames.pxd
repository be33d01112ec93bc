cpdef enum:
    INCOMPLETE = -1
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9
    PRIORITY_UPDATE = 16
    UNKNOWN = 255

cdef class FrameReader:
    cdef readonly int kind, fault, fragments
    cdef readonly long stream, length, padding, value, last_stream
    cdef readonly bint end_stream, begins, ack, in_block
    cdef readonly bytes payload
    cdef readonly Py_ssize_t at, size, used
    cdef Py_ssize_t most_block, left, padding_left
    cdef int faulty
    cdef bint ends, has_settings
    cdef object block

    cdef int read(self, char* data, Py_ssize_t size) except -2
    cdef int check_order(self, int kind, int flags, long stream) except -1
    cdef Py_ssize_t take_data(self, Py_ssize_t at, Py_ssize_t end) noexcept
    cdef int take_frame(self, int kind, int flags, Py_ssize_t length, const unsigned char* body) except -1
    cdef int take_headers(self, int flags, Py_ssize_t length, const unsigned char* body) except -1
    cdef int take_continuation(self, int flags, Py_ssize_t length, const unsigned char* body) except -1
