cdef extern from "openssl.h":
    ctypedef struct SSL:
        pass

cdef enum:
    DONE = 0      # there was no reason to stop
    BYTES = 1     # more has to come from the peer
    ROOM = 2      # the socket has to take more first
    ENDED = 3     # the peer said that it is done
    FAILED = 4
    HELD = 5      # whoever was told of the client hello wants the handshake to wait

cdef class DirectTls:
    cdef SSL* ssl
    cdef object side
    cdef int wants

    cdef int handshake(self) except -1
    cdef Py_ssize_t receive(self, char* base, Py_ssize_t room) except -1
    cdef Py_ssize_t send(self, char* data, Py_ssize_t size) except -1
    cdef int shutdown(self) except -1
    cdef bint resumed(self)
    cdef int _reason(self, int result) noexcept

cdef DirectTls terminate(object contexts, int fd)
