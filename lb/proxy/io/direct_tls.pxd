cdef extern from "openssl.h":
    ctypedef struct SSL:
        pass
    ctypedef struct lb_pipe:
        int cut, dry, hung_up, parting, last_size, idle
        Py_ssize_t allowance, barren
        char* last

cdef enum:
    DONE = 0      # nothing stopped it
    BYTES = 1     # the peer has to send more
    ROOM = 2      # the socket has to take more first
    ENDED = 3     # the peer has closed its side
    FAILED = 4
    HELD = 5      # the client hello callback asked for the handshake to wait

cdef class DirectTls:
    cdef SSL* ssl
    cdef lb_pipe* pipe
    cdef object side
    cdef int wants
    cdef unsigned long error

    cdef int handshake(self, bint hung_up) except -1
    cdef Py_ssize_t receive(self, char* base, Py_ssize_t room, bint hung_up) except -1
    cdef int _has_read(self, int size, bint whole) noexcept
    cdef int _begin(self, Py_ssize_t allowance, bint hung_up) noexcept
    cdef bint is_cut(self) noexcept
    cdef Py_ssize_t barren(self) noexcept
    cdef Py_ssize_t send(self, char* data, Py_ssize_t size) except -1
    cdef bytes shutdown(self)
    cdef bint resumed(self)
    cdef int _reason(self, int result) noexcept
    cdef tuple failure(self)

cdef DirectTls terminate(object contexts, int fd)
