cimport cython

cdef int _ROWS, _ROW_BITS
cdef Py_ssize_t _WIDTH, _SHEET, _SHEETS

cdef class ConnectionCounts:
    cdef unsigned int[::1] _cells, _written
    cdef Py_ssize_t _own
    @cython.locals(first=Py_ssize_t, place=Py_ssize_t)
    cpdef begin(self, Py_ssize_t slot)
    @cython.locals(row=int, first=Py_ssize_t)
    cpdef bint arrive(self, long long key, Py_ssize_t limit)
    @cython.locals(row=int, first=Py_ssize_t, place=Py_ssize_t)
    cpdef leave(self, long long key)
    @cython.locals(row=int, place=Py_ssize_t, sheets=Py_ssize_t, sheet=Py_ssize_t, least=Py_ssize_t, total=Py_ssize_t)
    cpdef Py_ssize_t count(self, long long key)
