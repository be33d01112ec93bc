cdef Py_ssize_t _CROWDED, _MOST
cdef double _SILENCE

cdef class RequestBuffers:
    cdef public object writer
    cdef public Py_ssize_t in_memory, total
    cdef object _on_disk
    cdef double _silent_until
    cpdef hold(self, Py_ssize_t size)
    cpdef let_go(self, Py_ssize_t size)
    cpdef bint is_crowded(self)
    cpdef take_disk(self, Py_ssize_t size, Py_ssize_t limit)
    cpdef bint has_room(self, Py_ssize_t size, Py_ssize_t limit)
    cpdef give_disk_back(self, Py_ssize_t size)
    cpdef Py_ssize_t on_disk(self)
