cpdef enum:
    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3

cdef class Body:
    cdef public int kind
    cdef public bint done
    cdef public Py_ssize_t left, total, cap
    cdef public bytes trailers
    cdef public object limits
    cdef readonly Py_ssize_t at, used
    cdef readonly bint lenient
    cdef int state, digits, extension, lines
    cdef Py_ssize_t extensions
    cdef object section
    cdef Py_ssize_t read(self, char* data, Py_ssize_t size) except -1
    cdef Py_ssize_t _chunks(self, char* data, Py_ssize_t size) except -1
    cdef int _extend(self, unsigned char byte) except -1
    cdef int _count_extension(self) except -1
    cdef Py_ssize_t _trailer(self, char* p, char* end) except -1
