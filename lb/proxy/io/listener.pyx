# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Accepts connections: the compiled twin of `listener.py`.

One accept4 per event gives a non-blocking descriptor and the peer's address at once; a queue that holds more is reported again.
"""
from cpython.bytes cimport PyBytes_FromString
from libc.errno cimport ECONNABORTED, EAGAIN, EINTR, errno
from libc.stdint cimport uint16_t, uint32_t

from lb.proxy.io.poller cimport Poller, Watched

import os

cdef extern from "sys/epoll.h" nogil:
    uint32_t EPOLLIN
    int epoll_ctl(int, int, int, void*)
    int EPOLL_CTL_DEL

cdef extern from "netinet/in.h" nogil:
    ctypedef unsigned int socklen_t
    cdef struct in_addr:
        pass
    cdef struct in6_addr:
        unsigned char s6_addr[16]
    cdef struct sockaddr:
        unsigned short sa_family
    cdef struct sockaddr_in:
        uint16_t sin_port
        in_addr sin_addr
    cdef struct sockaddr_in6:
        uint16_t sin6_port
        in6_addr sin6_addr
    cdef struct sockaddr_storage:
        unsigned short ss_family
    int AF_INET, AF_INET6
    uint16_t ntohs(uint16_t)

cdef extern from "arpa/inet.h" nogil:
    const char* inet_ntop(int, const void*, char*, unsigned int)

cdef extern from "sys/socket.h" nogil:
    int SOCK_NONBLOCK, SOCK_CLOEXEC

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/socket.h>
    extern int accept4(int, struct sockaddr *, socklen_t *, int);
    """
    int accept4(int, sockaddr*, unsigned int*, int) nogil

DEF BURST = 16


cdef class Listener(Watched):
    def listen(self, Poller poller, socket):
        """From now on, accept what arrives at this listening socket. Raises OSError; then nothing has changed."""
        self.socket = socket
        self.fd = socket.fileno()
        self.poller = poller
        try:
            poller.add(self, EPOLLIN)
        except OSError:
            self.fd = -1
            raise

    def rest(self):
        """Leave the queue alone until `listen` is called again."""
        if self.fd >= 0:
            epoll_ctl(self.poller.epfd, EPOLL_CTL_DEL, self.fd, NULL)
            self.fd = -1
            self.poller.remove(self)

    def stop(self):
        """Accept what has arrived so far, and no more; the socket itself stays open for the next process."""
        for _ in range(64):  # in bursts: a flood must not keep us here
            if self.fd < 0 or self.on_events(0) == 0:
                break
        self.rest()

    cdef int on_events(self, uint32_t events) except -1:
        cdef sockaddr_storage peer
        cdef unsigned int size
        cdef char text[64]
        cdef int fd, port, _
        cdef const char* name
        # 1 when there may be more in the queue.
        for _ in range(BURST):
            if self.fd < 0:
                return 0
            size = sizeof(peer)
            fd = accept4(self.fd, <sockaddr*>&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                if errno == EAGAIN or errno == EINTR or errno == ECONNABORTED:
                    return 0
                self.refused(errno)
                return 0
            if peer.ss_family == AF_INET6:
                port = ntohs((<sockaddr_in6*>&peer).sin6_port)
                name = inet_ntop(AF_INET6, &(<sockaddr_in6*>&peer).sin6_addr, text, sizeof(text))
            else:
                port = ntohs((<sockaddr_in*>&peer).sin_port)
                name = inet_ntop(AF_INET, &(<sockaddr_in*>&peer).sin_addr, text, sizeof(text))
            self.accepted(fd, PyBytes_FromString(name), port)
        return 1

    cpdef accepted(self, int fd, bytes address, int port):
        os.close(fd)

    def refused(self, int error):
        """The system refuses a descriptor (EMFILE, ENFILE, ENOBUFS): derived classes make room."""
