# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Tells connections that their sockets are ready: the compiled twin of `poller.py`.

All sockets of the data path are in one epoll descriptor, the only one that the event loop knows: a socket is registered once,
edge-triggered, and costs the loop nothing more (in the loop itself, each costs three epoll_ctl calls and a callback object). A round
takes what is ready in one epoll_wait. All share one read buffer: what is read is handled before the next read.
"""
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EINTR, errno
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport close

import os

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        void* ptr
    cdef struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int)
    int epoll_ctl(int, int, int, epoll_event*)
    int epoll_wait(int, epoll_event*, int, int)
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL

DEF BATCH = 256
DEF FEW = 8          # up to this many events are not timed
DEF TURNS = 0.002    # seconds of a round that turns may take, or half of what its events took if that is more

cdef class Watched:
    def __cinit__(self):
        self.fd = -1

    cdef int on_events(self, uint32_t events) except -1:
        return 0


cdef class Poller:
    def __cinit__(self, loop, on_error):
        self.buffer_size = 262144  # large bodies need large reads; there is one buffer per worker, so small ones do not pay for it
        self.buffer = <char*>malloc(self.buffer_size)
        self.epfd = epoll_create1(EPOLL_CLOEXEC)
        if self.epfd < 0 or self.buffer == NULL:
            raise OSError(errno, os.strerror(errno))

    def __init__(self, loop, on_error):
        self.loop = loop
        self.on_error = on_error
        self.again = []
        self.graveyard = []
        self.tick()
        loop.add_reader(self.epfd, self.poll)

    def __dealloc__(self):
        if self.epfd >= 0:
            close(self.epfd)
        free(self.buffer)

    def close(self):
        self.loop.remove_reader(self.epfd)

    cpdef double tick(self):
        """Read the clock, and keep it as `now` until the next round. Returns seconds of the monotonic clock."""
        cdef timespec t
        clock_gettime(CLOCK_MONOTONIC, &t)
        self.now = t.tv_sec + t.tv_nsec * 1e-9
        return self.now

    cdef int add(self, Watched watched, uint32_t events) except -1:
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void*>watched
        if epoll_ctl(self.epfd, EPOLL_CTL_ADD, watched.fd, &event) < 0:
            raise OSError(errno, os.strerror(errno))
        Py_INCREF(watched)  # released by remove()
        watched.registered = True
        return 0

    cdef int change(self, Watched watched, uint32_t events) except -1:
        cdef epoll_event event
        event.events = events
        event.data.ptr = <void*>watched
        if epoll_ctl(self.epfd, EPOLL_CTL_MOD, watched.fd, &event) < 0:
            raise OSError(errno, os.strerror(errno))
        return 0

    cdef int remove(self, Watched watched) except -1:
        # The descriptor leaves the epoll set when it is closed; events of this round may still name the object: it stays until then.
        # (Supervisor and workers share no accepted socket, so closing is the last reference.)
        if watched.registered:
            watched.registered = False
            self.graveyard.append(watched)
            Py_DECREF(watched)
        return 0

    cdef int later(self, Watched watched) except -1:
        # Gives this one a turn without an event: at the end of the round, or in the next.
        self.again.append(watched)
        self.schedule()
        return 0

    cdef int schedule(self) except -1:
        if not self.scheduled:
            self.loop.call_soon(self.poll)
            self.scheduled = True
        return 0

    cdef int dispatch(self, Watched watched, uint32_t events) except -1:
        try:
            watched.on_events(events)
        except (KeyboardInterrupt, SystemExit):
            raise  # the process ends
        except BaseException as error:
            # A failure of one must not keep the others of this round from their turn: an edge is reported only once.
            try:
                self.on_error(watched, error)
            except Exception as second:
                try:
                    self.loop.call_exception_handler({"message": "a connection could not be ended", "exception": second})
                except Exception:
                    pass  # memory may be short
        return 0

    def poll(self):
        """One round: handle everything that is ready now."""
        cdef epoll_event events[BATCH]
        cdef int i, n
        cdef list again
        cdef double began, until
        cdef Py_ssize_t at
        n = epoll_wait(self.epfd, events, BATCH, 0)
        if n < 0 and errno != EINTR:
            raise OSError(errno, os.strerror(errno))
        began = self.tick()
        self.scheduled = True  # one that asks for a turn from here on gets it below
        try:
            for i in range(n):
                self.dispatch(<Watched>events[i].data.ptr, events[i].events)
                if n > FEW and self.ready_count < n and self.tick() - began > TURNS:
                    self.ready_count = n
        finally:
            self.scheduled = False
        again = self.again
        if again:
            self.again = []
            self.ready_count = len(again)
            at = 0
            until = self.tick()
            until += max(TURNS, (until - began) / 2)
            try:
                while at < self.ready_count:
                    at += 1
                    self.dispatch(<Watched>again[at - 1], 0)
                    if self.tick() >= until:
                        break
            finally:
                if at < len(again):
                    # New events come before those that have more than was read.
                    self.again[:0] = again[at:]
                    self.schedule()
        else:
            self.ready_count = 0
        if self.graveyard:
            self.graveyard.clear()
