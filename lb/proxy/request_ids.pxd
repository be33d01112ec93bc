cimport cython

cdef list _LOW

cdef class RequestIds:
    cdef bytes _head, _prefix
    cdef Py_ssize_t _next
    @cython.locals(number=Py_ssize_t, low=Py_ssize_t)
    cpdef bytes new(self)
