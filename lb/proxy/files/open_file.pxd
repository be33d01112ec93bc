cdef class OpenFile:
    cdef public bytes data
    cdef public int fd
    cdef public long long modified, dated
    cdef public Py_ssize_t size
    cdef tuple _stamp
    cdef bint _fresh
    cpdef bint is_same(self, OpenFile before)
    cpdef bytes read(self, Py_ssize_t at, Py_ssize_t size)
