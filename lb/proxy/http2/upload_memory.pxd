cdef class UploadMemory:
    cdef readonly Py_ssize_t left
    cpdef Py_ssize_t take(self, Py_ssize_t n)
    cpdef give_back(self, Py_ssize_t n)
