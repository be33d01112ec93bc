# The system calls that `wire.pyx` uses.

cdef extern from "sys/epoll.h" nogil:
    int EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR
    uint32_t EPOLLET

cdef extern from "sys/socket.h" nogil:
    cdef struct sockaddr:
        pass
    ssize_t recv(int, void*, size_t, int)
    ssize_t send(int, const void*, size_t, int)
    int socket(int, int, int)
    int connect(int, const sockaddr*, unsigned int)
    int shutdown(int, int)
    int getsockopt(int, int, int, void*, unsigned int*)
    int setsockopt(int, int, int, const void*, unsigned int)
    cdef struct linger:
        int l_onoff
        int l_linger
    int SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC, SOL_SOCKET, SO_ERROR, SO_LINGER, SO_KEEPALIVE, SHUT_WR, MSG_PEEK, MSG_DONTWAIT, MSG_NOSIGNAL, AF_UNIX

cdef extern from "netinet/tcp.h" nogil:
    int TCP_NODELAY, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT

cdef extern from "sys/ioctl.h" nogil:
    int ioctl(int, unsigned long, ...)

cdef extern from "linux/sockios.h" nogil:
    unsigned long SIOCOUTQ

cdef extern from "netinet/in.h" nogil:
    int IPPROTO_TCP

cdef extern from "sys/uio.h" nogil:
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    ssize_t writev(int, const iovec*, int)
