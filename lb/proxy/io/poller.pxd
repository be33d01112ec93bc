from libc.stdint cimport uint32_t

cdef class Watched:
    cdef int fd
    cdef bint registered
    cdef int on_events(self, uint32_t events) except -1

cdef class Poller:
    cdef int epfd
    cdef public double now
    cdef readonly object loop
    cdef char* buffer
    cdef Py_ssize_t buffer_size
    cdef list again, graveyard
    cdef object on_error
    cdef bint scheduled
    cdef readonly Py_ssize_t ready_count
    cdef int add(self, Watched watched, uint32_t events) except -1
    cdef int change(self, Watched watched, uint32_t events) except -1
    cdef int remove(self, Watched watched) except -1
    cdef int schedule(self) except -1
    cdef int later(self, Watched watched) except -1
    cpdef double tick(self)
    cdef int dispatch(self, Watched watched, uint32_t events) except -1
