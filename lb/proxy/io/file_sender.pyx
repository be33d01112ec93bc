# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""A connection that can send bytes of an open file: the compiled twin of `file_sender.py`, which says what that is and does."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, EINVAL, EIO, EISDIR, ENOMEM, ENOSYS, EOVERFLOW, errno
from libc.stdint cimport uint32_t

from lb.proxy.io.wire cimport Wire

include "sockets.pxi"

cdef extern from "sys/sendfile.h" nogil:
    ctypedef long long off_t
    ssize_t sendfile(int, int, off_t*, size_t)

cdef extern from "unistd.h" nogil:
    ssize_t pread(int, void*, size_t, off_t)

cdef extern from "errno.h" nogil:
    int EOPNOTSUPP, ESTALE

cdef extern from "sys/socket.h" nogil:
    int MSG_MORE

DEF OPEN = 2            # as in wire.pyx
DEF TURN = 2097152
DEF PIECE = 65536       # bytes that are read at once, where they have to be
DEF COPIED = 262144     # bytes of them that one call sends
DEF ROOM = 1            # what is waited for: that the socket takes more
DEF NEXT = 2            # or the next turn

cdef char piece[PIECE]


cdef class FileSender(Wire):
    cpdef Py_ssize_t backlog(self):
        return self.out_end - self.out_at + (self.waits != 0)

    cpdef Py_ssize_t send_file(self, bytes head, int file, Py_ssize_t at, Py_ssize_t size) except -2:
        cdef Py_ssize_t n, sent = 0, most = min(size, TURN)
        cdef off_t place
        if head is None:
            raise TypeError("no head")
        if self.state != OPEN or self.broken:
            return 0
        if self.memory is not None or self.direct is not None:
            return self._send_copies(head, file, at, size)
        if PyBytes_GET_SIZE(head):
            self._send_head(PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head))
        if self.out_end > self.out_at or self.broken:
            return 0
        while sent < most:
            place = at + sent
            n = sendfile(self.fd, file, &place, most - sent)
            if n > 0:
                sent += n
            elif n == 0:
                return self._ended(sent)
            elif errno == EAGAIN or errno == EINTR:
                self._wait(ROOM)
                return sent
            elif errno == EINVAL or errno == ENOSYS or errno == EOPNOTSUPP:  # no sendfile from this file system
                n = self._send_copies(b"", file, at + sent, size - sent)
                if n >= 0:
                    return sent + n
                return self._ended(sent)
            elif errno == EIO or errno == ENOMEM or errno == EOVERFLOW or errno == ESTALE or errno == EISDIR:
                return self._ended(sent)
            else:
                self._break()
                return sent
        if sent < size:
            self._wait(NEXT)
        return sent

    cdef int _send_head(self, char* head, Py_ssize_t size) except -1:
        # What comes next goes into the same packet.
        cdef Py_ssize_t n = 0
        if self.out_end == self.out_at:
            n = send(self.fd, head, size, MSG_NOSIGNAL | MSG_MORE)
            if n < 0:
                if errno != EAGAIN and errno != EINTR:
                    return self._break()
                n = 0
        if n < size:
            self._queue(head + n, size - n)
        return 0

    cdef Py_ssize_t _send_copies(self, bytes head, int file, Py_ssize_t at, Py_ssize_t size) except -2:
        cdef Py_ssize_t n, sent = 0
        cdef Py_ssize_t before = PyBytes_GET_SIZE(head)
        while sent < size:
            if self.out_end > self.out_at and not before:
                return sent
            n = pread(file, piece, min(size - sent, PIECE), at + sent)
            if n <= 0:
                return self._ended(sent)
            self._emit(PyBytes_AS_STRING(head), before, piece, n, NULL, 0)
            before = 0
            sent += n
            if self.broken or self.out_end > self.out_at:
                return sent
            if sent >= COPIED and sent < size:
                self._wait(NEXT)
                return sent
        return sent

    cdef Py_ssize_t _ended(self, Py_ssize_t sent) except -2:
        # The file has no more bytes behind these: the next call says so, and comes by itself.
        if sent == 0:
            return -1
        self._wait(NEXT)
        return sent

    cpdef give_way(self):
        if self.state == OPEN and not self.broken and self.out_end == self.out_at and not self.waits:
            self._wait(NEXT)

    cdef int _wait(self, int what) except -1:
        self.waits = what
        if what == ROOM:
            self._want_out()
        else:
            self._later()
        return 0

    cdef int on_events(self, uint32_t events) except -1:
        cdef int waited = self.waits
        Wire.on_events(self, events)
        if (waited and self.waits and self.state == OPEN and not self.broken and self.out_end == self.out_at
                and (events & EPOLLOUT or (events == 0 and waited == NEXT))):
            self.waits = 0
            self.drained()
        return 0
