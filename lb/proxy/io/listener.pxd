from libc.stdint cimport uint32_t

from lb.proxy.io.poller cimport Poller, Watched

cdef class Listener(Watched):
    cdef public Poller poller
    cdef object socket
    cpdef accepted(self, int fd, bytes address, int port)
    cdef int on_events(self, uint32_t events) except -1
