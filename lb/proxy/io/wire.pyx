# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""One connection's bytes: the compiled twin of `wire.py`, which describes a Wire.

What has arrived is in `read_buffer`, OpenSSL's part in `direct_tls`. Writing goes to the socket at once; what it does not take is copied to a backlog.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINPROGRESS, EINTR, errno
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove
from posix.unistd cimport close as close_fd

from lb.proxy.io.direct_tls cimport BYTES, DONE, ENDED, FAILED, HELD, ROOM, DirectTls, terminate
from lb.proxy.io.poller cimport Poller
from lb.proxy.downstream cimport Downstream
from lb.proxy.io.read_buffer cimport ReadBuffer

from lb.proxy.io import direct_tls
from lb.proxy.io.memory_tls import REFUSAL, MemoryTls

include "sockets.pxi"

cdef enum:
    CONNECTING = 0
    HANDSHAKE = 1
    OPEN = 2
    CLOSING = 3      # the backlog is still to be sent
    LINGERING = 4    # our side is shut; what arrives is discarded, so that our last reply is not lost to a reset
    CLOSED = 5

cdef enum:
    ASKED = 1        # `end` was called, and the backlog is still to be sent
    SHUT = 2         # our side is shut

DEF HIGH = 65536     # bytes of backlog at which the other side is paused
DEF LOW = 16384
DEF SPARE = 16384    # room that a rest gets beyond its size
DEF MODEST = 32768   # bytes per read from a client that should not send much: all of it may have to be kept; four times that elsewhere
DEF FIRST = 8192     # the first piece from a client while the cost of its bytes is unknown, when that matters
DEF LEAST = 2048
DEF MANY_READY = 8   # ready connections from which on none may take long over its turn
DEF LONG = 0.001     # seconds that a piece may take; one that takes longer is followed by smaller ones
DEF LONG_IF_MANY = 0.0001
DEF BARREN = 512     # TLS records without data that data has not made up for, or that a handshake may take; no real client needs as many
DEF BORNE = 32       # from here on a connection waits for its turns
DEF PROBED_AFTER = 45  # seconds of silence after which the system probes an instance
DEF PROBED_EVERY = 15  # seconds between two probes
DEF PROBES = 3         # unanswered probes after which the connection is broken
DEF SCRATCH = 131072
DEF MOST_PREFACE = 4352

cdef char scratch[SCRATCH]

DIRECT = direct_tls.DIRECT
"""Whether TLS bytes go to OpenSSL directly; otherwise through Python's `ssl.MemoryBIO`."""


cdef class Wire(Downstream):
    def __cinit__(self):
        self.slot = -1
        self.can_stream = True
        self.read_size = FIRST
        self.state = OPEN

    def __dealloc__(self):
        if self.fd >= 0:
            close_fd(self.fd)
        free(self.out)

    # Beginning

    cpdef expect_preface(self):
        self.prefaced = True
        self.state = HANDSHAKE

    cpdef attach(self, Poller poller, int fd):
        if poller is None:
            raise TypeError("no poller")
        self.poller = poller
        self.fd = fd
        poller.add(self, EPOLLIN | EPOLLRDHUP | EPOLLET)

    cpdef start_tls(self, contexts):
        # What raises here leaves a connection without TLS, which must not be taken for one in a handshake.
        cdef DirectTls direct = terminate(contexts, self.fd)
        if direct is None:
            memory = MemoryTls(contexts)
            self.tls = memory.tls
            self.memory = memory
        else:
            self.tls = direct.side
            self.direct = direct
        self.state = HANDSHAKE
        if self.outward:  # we speak first
            self.greeted = self.readable = True
            if self.memory is not None:
                self.memory.held = True
            self._later()

    cpdef int connect(self, Poller poller, int family, object address, bytes packed) except -1:
        cdef int one = 1
        cdef int idle = PROBED_AFTER, interval = PROBED_EVERY, probes = PROBES
        cdef int error = 0
        if poller is None or packed is None:
            raise TypeError("no poller, or no address")
        self.outward = True
        self.read_size = poller.buffer_size
        self.poller = poller
        self.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        if self.fd < 0:
            self.closed = True
            self.state = CLOSED
            return errno
        if family != AF_UNIX:
            setsockopt(self.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
            # An instance that vanishes ends its idle tunnels, too. (Clients: see `control.keep_alive`.)
            setsockopt(self.fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one))
            setsockopt(self.fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle))
            setsockopt(self.fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval))
            setsockopt(self.fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes))
        if connect(self.fd, <const sockaddr*>PyBytes_AS_STRING(packed), <unsigned int>PyBytes_GET_SIZE(packed)) < 0:
            error = errno
            if error != EINPROGRESS:
                close_fd(self.fd)
                self.fd = -1
                self.closed = True
                self.state = CLOSED
                return error
            self.state = CONNECTING
        self.wants_out = True
        try:
            poller.add(self, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
        except OSError as failure:
            close_fd(self.fd)
            self.fd = -1
            self.closed = True
            self.state = CLOSED
            return failure.errno
        return error

    # Events

    cdef int on_events(self, uint32_t events) except -1:
        cdef int error = 0
        cdef unsigned int size = sizeof(error)
        if self.state == CLOSED:
            return 0
        if self.state == CONNECTING:
            if not events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
                return 0
            getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &error, &size)
            if error:
                self.state = CLOSED
                self.closed = True
                self.poller.remove(self)
                close_fd(self.fd)
                self.fd = -1
                self.connect_failed(error)
                return 0
            self.state = OPEN
            self.connected()
            if self.state == CLOSED:
                return 0
        if self.on_hold:
            if events == 0:
                self.queued = False
            self.readable = True
            if self.broken or events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
                self._finalize()
            return 0
        if events == 0:
            self.queued = False
            if self.broken:
                return self._last_words()
            if self.resumed:
                self.resumed = False
                if self.have and self.state == OPEN:
                    self.received()
                    if self.state == CLOSED:
                        return 0
        else:
            if events & EPOLLOUT:
                if self.out_end > self.out_at:
                    self._flush()
                    if self.state == CLOSED:
                        return 0
                elif self.ending == ASKED:
                    self._finish_end()
            if self.retries and events & EPOLLOUT:
                self.retries = False
                self.readable = True
            if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
                self.readable = True
                if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
                    self.hung_up = True
                    if self.eof and self.state == OPEN and events & (EPOLLHUP | EPOLLERR):
                        getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &self.failure, &size)
                        return self._finalize()  # it had shut its side, and is closed now
                if events & EPOLLERR and self.paused and not self.outward and self.state == OPEN:
                    getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &self.failure, &size)
                    self.severed()
                    if self.state == CLOSED:
                        return 0
        if self.readable and (not self.paused or self.state >= CLOSING):
            if events != 0 and (self.state == HANDSHAKE or self.expensive):
                self._later()  # it costs as much as a dozen requests: those go first
            else:
                self._fill()
        return 0

    cdef int _fill(self) except -1:
        # Reads once, lets the bytes be handled, and keeps what is left of them.
        cdef Py_ssize_t n, room
        cdef double began = 0.0
        cdef Py_ssize_t most = self.poller.buffer_size
        if self.state == HANDSHAKE and not self._handshake():
            return 0
        if self.state >= CLOSING:
            n = recv(self.fd, self.poller.buffer, self.poller.buffer_size, 0)
            if n > 0:
                self.heard = self.poller.now
                self._later()
            elif n < 0 and (errno == EAGAIN or errno == EINTR):
                self.readable = errno == EINTR
            elif self.state == LINGERING or n < 0:
                self._finalize()
            else:
                self.readable = False
            return 0
        if self.eof:
            self.readable = False
            return 0
        if self.owed > LOW:
            return 0  # it requests, and does not read what TLS answers by itself: `_flush` forgets it, and the event goes on here
        if not self.large_reads:
            most = MODEST if not self.outward else 4 * MODEST
        if self.large_reads or self.expensive or self.poller.ready_count > MANY_READY:
            most = min(most, self.read_size)
            began = self.poller.tick()
        if self.memory is not None:
            # What an incomplete record left behind comes out with what is read now: at most a record more than that.
            most = min(most, self.poller.buffer_size - 2 * SPARE)
            room = most + 2 * SPARE
        else:
            room = most
        if self.have == 0:
            self.data = self.poller.buffer
        else:
            self.make_room(SPARE if self.memory is None else 4 * SPARE)
            room = min(self.rest_size - self.have, room)
        self.more = False
        n = self._receive(self.data + self.have, room)
        if n == -2:
            return self._finalize()
        if self.barren > BARREN:
            return self._end_flood()
        if n > 0:
            self.have += n
            self.received()
            if self.state == CLOSED:
                return 0
            self.keep()
        if not self.more:
            self.expensive = False
        elif began:
            self._take_less_or_more(self.poller.tick() - began)
        if self.barren > BORNE:
            self.expensive = True  # what it sends is work, but no data
        if self.eof and self.state < CLOSING:
            self.readable = False
            self.ended()
        elif self.readable and not self.paused and self.state != CLOSED:
            self._later()
        return 0

    cdef int _take_less_or_more(self, double seconds) except -1:
        # For a peer that has sent more than was read: cheap bytes come in large pieces; a peer whose bytes are expensive waits more often.
        cdef double much = LONG_IF_MANY if self.poller.ready_count > MANY_READY else LONG
        self.expensive = seconds > much
        if self.expensive:
            self.read_size = max(<Py_ssize_t>(self.read_size * much / seconds), LEAST)
        elif seconds < much / 4:
            self.read_size = min(self.read_size * 2, self.poller.buffer_size)
        return 0

    cdef int _handshake(self) except -1:
        # 1 if bytes may be read, 0 if not yet or never.
        if self.prefaced:
            if not self._read_preface():
                return 0
            if self.state == OPEN:
                return 1
        if not self.greeted:
            if not self._greet():
                return 0
        if self.memory is not None:
            if self.memory.held:
                self.memory.go_on(SPARE)
                self._after_step()
            return self.state == HANDSHAKE and not self.on_hold
        if self.direct is None:
            return self._finalize()
        if self.direct.handshake(self.hung_up):
            self.state = OPEN
            self.handshaken()
            return self.state == OPEN
        if self.direct.barren() > BARREN:
            self._end_flood()
        elif self.direct.is_cut():
            self._later()
        elif self.direct.wants == BYTES and not self.hung_up:
            self.readable = False
        elif self.direct.wants == ROOM:
            self.readable = True
            self._want_out()
        elif self.direct.wants == HELD:
            self._suspend()
        else:
            self._note_failure()
            self._finalize()
        return 0

    cdef int _note_failure(self) except -1:
        # Why TLS to an instance failed: `_finalize` forgets the rest.
        if self.outward:
            self.tls_failure = self.direct.failure() if self.direct is not None else self.memory.failure
        return 0

    cdef int _read_preface(self) except -1:
        # Looks at what comes before everything else, and takes it off the socket when it is whole: 1 then.
        cdef Py_ssize_t size
        cdef Py_ssize_t n = recv(self.fd, self.poller.buffer, MOST_PREFACE, MSG_PEEK | MSG_DONTWAIT)
        if n < 0 and (errno == EAGAIN or errno == EINTR) and not self.hung_up:
            self.readable = errno == EINTR
            if self.readable:
                self._later()
            return 0
        if n <= 0:
            self._finalize()
            return 0
        size = self.preface(PyBytes_FromStringAndSize(self.poller.buffer, n))
        if self.state == CLOSED:
            return 0
        if size == 0:
            if self.hung_up:
                self._finalize()
            self.readable = False
            return 0
        recv(self.fd, self.poller.buffer, size, 0)
        self.prefaced = False
        if self.direct is None and self.memory is None:
            self.state = OPEN
        self.introduced()
        return self.state == HANDSHAKE or self.state == OPEN

    cdef int _greet(self) except -1:
        # Checks the first byte: 1 if it may be TLS; 0 if nothing is there yet, or plain HTTP.
        cdef unsigned char byte
        cdef Py_ssize_t n = recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT)
        if n < 0 and (errno == EAGAIN or errno == EINTR) and not self.hung_up:
            self.readable = errno == EINTR
            if self.readable:
                self._later()
            return 0
        self.greeted = True
        if n != 1 or not 97 <= byte | 32 <= 122:  # TLS never begins with a letter, a method always does
            return 1
        self.direct = None
        self.tls = self.memory = None
        self.state = OPEN
        self.unsecured()
        if self.state != CLOSED:
            self._later()
        return 0

    cdef int _after_step(self) except -1:
        # In memory: send what the handshake produced.
        cdef bytes cipher = self.memory.outgoing()
        if cipher:
            self._raw(cipher)
        if self.memory.failed:
            self._note_failure()
            self._finalize()
        elif self.memory.held:
            self._suspend()
        return 0

    cdef int _suspend(self) except -1:
        if self.hung_up:
            return self._finalize()  # the client to hold it for is gone
        self.on_hold = True
        self.suspended()
        return 0

    cdef Py_ssize_t _receive(self, char* base, Py_ssize_t room) except -3:
        # Bytes read; 0 nothing now; -2 the connection is broken. End of file sets `eof`.
        cdef Py_ssize_t n
        if self.direct is not None:
            return self._receive_direct(base, room)
        if self.memory is not None:
            return self._receive_memory(base, room)
        n = recv(self.fd, base, room, 0)
        if n > 0:
            # A short read emptied the socket; the next edge will report more. After a hang-up there is no next edge.
            self.more = n == room
            if n < room and not self.hung_up:
                self.readable = False
            return n
        if n == 0:
            if self.broken:
                return -2  # a reset that the failed write was told of: no orderly end
            self.eof = True
            return 0
        if errno == EAGAIN or errno == EINTR:
            self.readable = errno == EINTR
            return 0
        self.failure = errno
        return -2

    cdef Py_ssize_t _receive_direct(self, char* base, Py_ssize_t room) except -3:
        cdef Py_ssize_t n = self.direct.receive(base, room, self.hung_up)
        cdef int wants = self.direct.wants
        self.barren = self.direct.barren()
        if wants == DONE or self.direct.is_cut():
            self.more = True
        elif wants == BYTES:
            self.readable = False
            self.eof = self.hung_up  # the peer left without a close_notify
        elif wants == ROOM:
            self.readable = False
            self.retries = True
            self._want_out()
        elif wants == ENDED:
            self.eof = True
        elif wants == FAILED and not n:
            self.failure = errno
            self._note_failure()
            return -2
        return n

    cdef Py_ssize_t _receive_memory(self, char* base, Py_ssize_t room) except -3:
        cdef Py_ssize_t n
        cdef bytes plain, cipher
        room -= 2 * SPARE  # see `_fill`
        if self.memory.waits:
            n = room
            plain = self.memory.go_on(room)
        else:
            n = recv(self.fd, base, room, 0)
            if n < 0:
                if errno == EAGAIN or errno == EINTR:
                    self.readable = errno == EINTR
                    return 0
                return -2
            if n < room and not self.hung_up:
                self.readable = False
            plain = self.memory.feed(PyBytes_FromStringAndSize(base, n), room)
        self.more = n == room
        if self.memory.waits:
            self.more = self.readable = True
        self.barren = self.memory.barren
        cipher = self.memory.outgoing()
        if cipher:
            self._raw(cipher)
            if self.out_end > self.out_at:
                self.owed += PyBytes_GET_SIZE(cipher)
        if self.memory.failed or PyBytes_GET_SIZE(plain) > room + 2 * SPARE:
            self._note_failure()
            return -2
        if self.memory.held:
            self.hung_up = self.hung_up or n == 0
            self._suspend()
            return 0
        if self.state == HANDSHAKE and self.memory.established:
            self.state = OPEN
            self.handshaken()
            if self.state != OPEN:
                return 0
        if n == 0 or self.memory.ended:
            self.eof = True
        memcpy(base, PyBytes_AS_STRING(plain), PyBytes_GET_SIZE(plain))
        return PyBytes_GET_SIZE(plain)

    def _later(self):
        if not self.queued:
            self.queued = True
            self.poller.later(self)

    # Reading

    cpdef pause(self):
        self.paused = True

    cpdef resume(self):
        if self.paused:
            self.paused = False
            if self.readable:
                self._later()

    cpdef again(self):
        self.resumed = True
        self._later()

    cpdef bint is_stale(self) except -1:
        # Whether an idle connection has been closed by its peer (or has sent something unasked), without waiting for the event.
        cdef char byte
        cdef Py_ssize_t n
        if self.state != OPEN or self.broken or self.readable or self.have:
            return True
        n = recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT)
        return not (n < 0 and errno == EAGAIN)

    cpdef bint takes(self):
        # Whether the peer has taken anything since the last call: the system holds fewer bytes for it.
        cdef int held = 0
        cdef int before = self.held
        if self.fd < 0 or ioctl(self.fd, SIOCOUTQ, &held) < 0:
            return False
        self.held = held
        return held < before

    cpdef bint is_closing(self):
        # Whether nothing more is to be read or answered: it is closing, or closed.
        return self.state >= CLOSING

    # Writing

    cpdef Py_ssize_t backlog(self):
        return self.out_end - self.out_at

    cpdef send(self, bytes data):
        if data is None:
            raise TypeError("nothing to send")
        self._emit(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), NULL, 0, NULL, 0)

    cpdef send_with(self, bytes prefix, ReadBuffer source, bytes suffix):
        cdef Py_ssize_t n
        if source is None:
            raise TypeError("no source")
        n = source.ready
        source.ready = 0
        self._emit(PyBytes_AS_STRING(prefix) if prefix is not None else NULL, PyBytes_GET_SIZE(prefix) if prefix is not None else 0,
                   source.span, n,
                   PyBytes_AS_STRING(suffix) if suffix is not None else NULL, PyBytes_GET_SIZE(suffix) if suffix is not None else 0)

    def _raw(self, bytes cipher):
        # Bytes of TLS that Python made: to the socket as they are.
        cdef Py_ssize_t n = 0
        if not cipher:
            return
        if self.out_end == self.out_at:
            n = send(self.fd, PyBytes_AS_STRING(cipher), PyBytes_GET_SIZE(cipher), MSG_NOSIGNAL)
            if n < 0:
                if errno != EAGAIN and errno != EINTR:
                    self._break()
                    return
                n = 0
        if n < PyBytes_GET_SIZE(cipher):
            self._queue(PyBytes_AS_STRING(cipher) + n, PyBytes_GET_SIZE(cipher) - n)

    cdef int _emit(self, char* one, Py_ssize_t n1, char* two, Py_ssize_t n2, char* three, Py_ssize_t n3) except -1:
        # Up to three pieces, in one system call if the socket takes them; the rest is queued.
        cdef iovec parts[3]
        cdef int count = 0
        cdef Py_ssize_t sent = 0
        if self.state != OPEN and (self.state >= LINGERING or self.state == HANDSHAKE or self.parted):
            return 0
        if self.broken or n1 + n2 + n3 == 0:
            return 0
        if self.memory is not None:
            cipher = self.memory.encrypt(PyBytes_FromStringAndSize(one, n1) + PyBytes_FromStringAndSize(two, n2)
                                         + PyBytes_FromStringAndSize(three, n3))
            self._raw(cipher)
            return 0
        if self.out_end == self.out_at:
            if self.direct is not None:
                if n1 + n2 + n3 <= SCRATCH and (n1 != 0) + (n2 != 0) + (n3 != 0) > 1:
                    if n1:  # an empty piece has no address, and memcpy needs one
                        memcpy(scratch, one, n1)
                    if n2:
                        memcpy(scratch + n1, two, n2)
                    if n3:
                        memcpy(scratch + n1 + n2, three, n3)
                    one = scratch
                    n1 += n2 + n3
                    n2 = n3 = 0
                sent = self._write(one, n1)
                if sent == n1 and n2:
                    sent += self._write(two, n2)
                if sent == n1 + n2 and n3:
                    sent += self._write(three, n3)
            elif n2 == 0 and n3 == 0:
                sent = send(self.fd, one, n1, MSG_NOSIGNAL)
            else:
                if n1:
                    parts[count].iov_base = one
                    parts[count].iov_len = n1
                    count += 1
                if n2:
                    parts[count].iov_base = two
                    parts[count].iov_len = n2
                    count += 1
                if n3:
                    parts[count].iov_base = three
                    parts[count].iov_len = n3
                    count += 1
                sent = writev(self.fd, parts, count)
            if sent < 0:
                if errno != EAGAIN and errno != EINTR:
                    return self._break()
                sent = 0
            if self.broken or sent == n1 + n2 + n3:
                return 0
        if sent < n1:
            self._queue(one + sent, n1 - sent)
            sent = n1
        if sent < n1 + n2:
            self._queue(two + (sent - n1), n2 - (sent - n1))
            sent = n1 + n2
        if sent < n1 + n2 + n3:
            self._queue(three + (sent - n1 - n2), n3 - (sent - n1 - n2))
        return 0

    cdef Py_ssize_t _write(self, char* data, Py_ssize_t size) except -1:
        # Through TLS, as much as possible.
        cdef Py_ssize_t n = self.direct.send(data, size)
        if self.direct.wants >= ENDED:
            self._break()
        return n

    cdef int _queue(self, char* data, Py_ssize_t size) except -1:
        cdef char* grown
        cdef Py_ssize_t need
        if self.out_at and self.out_size - self.out_end < size:
            memmove(self.out, self.out + self.out_at, self.out_end - self.out_at)
            self.out_end -= self.out_at
            self.out_at = 0
        if self.out_size - self.out_end < size:
            need = self.out_end + size
            if need < self.out_size * 2:
                need = self.out_size * 2
            grown = <char*>realloc(self.out, need)
            if grown == NULL:
                raise MemoryError
            self.out = grown
            self.out_size = need
        memcpy(self.out + self.out_end, data, size)
        self.out_end += size
        if self.out_end - self.out_at > HIGH:
            self.full = True
        self._want_out()
        return 0

    cdef int _want_out(self) except -1:
        if not self.wants_out:
            self.wants_out = True
            self.poller.change(self, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
        return 0

    cdef int _flush(self) except -1:
        cdef Py_ssize_t n
        if self.direct is not None and self.state != HANDSHAKE and not self.parted:
            n = self._write(self.out + self.out_at, self.out_end - self.out_at)
            if self.broken:
                return 0
        else:
            n = send(self.fd, self.out + self.out_at, self.out_end - self.out_at, MSG_NOSIGNAL)
            if n < 0:
                if errno == EAGAIN or errno == EINTR:
                    return 0
                return self._break()
        self.out_at += n
        if self.out_at == self.out_end:
            free(self.out)
            self.out = NULL
            self.out_at = self.out_end = self.out_size = 0
        if self.state == CLOSING and self.out_end == 0:
            self._finish_close()
            if self.state == CLOSED:
                return 0
        elif self.ending == ASKED and self.out_end == 0:
            self._finish_end()
        if self.out_end - self.out_at <= LOW:
            self.owed = 0
            self.full = False
        if n:
            self.drained()
        return 0

    cdef int _break(self) except -1:
        # A write failed. The caller is in the middle of something: the end is reported at the end of the round.
        if not self.broken:
            self.failure = errno
            self.broken = True
            self.out_at = self.out_end = 0
            self._later()
        return 0

    # Ending

    cdef int _last_words(self) except -1:
        # A write failed. What an instance sent before it broke off is still to be read: an early answer, perhaps.
        cdef char byte
        if self.outward and self.state == OPEN and not self.eof and recv(self.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0:
            self.readable = True
            if not self.paused:
                self._fill()
                if self.state != CLOSED:
                    self._later()
            return 0
        return self._finalize()

    cpdef end(self):
        # No more bytes from us, once the backlog has gone; the peer may still send (the half-close of a tunnel).
        if self.state == OPEN and self.ending == 0:
            self.ending = ASKED
            if self.out_end == self.out_at or self.memory is not None:
                self._finish_end()

    cdef int _finish_end(self) except -1:
        # Over TLS a close_notify says so: the socket stays open for what the peer's next records require of us.
        if self.broken:
            return 0
        self.ending = SHUT
        if self.memory is not None or self.direct is not None:
            self._part()
        else:
            shutdown(self.fd, SHUT_WR)
        return 0

    cpdef close(self):
        if self.state >= CLOSING:
            return
        if self.out_end > self.out_at and self.state == OPEN and not self.broken:
            self.state = CLOSING
        else:
            self._finish_close()

    cpdef close_lingering(self):
        self.lingers = True
        self.close()
        if self.state == LINGERING and self.readable:
            self._later()

    cpdef abort(self):
        if self.state != CLOSED:
            self._finalize()

    cpdef reset(self):
        # As `abort`, but tells the peer that this is no orderly end.
        cdef linger at_once
        if self.state != CLOSED:
            at_once.l_onoff = 1
            at_once.l_linger = 0
            setsockopt(self.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once))
            self._finalize()

    cpdef go_on(self):
        if self.on_hold and not self.closed:
            self.on_hold = False
            self.readable = True
            self._later()

    cpdef refuse_handshake(self):
        if self.on_hold and not self.closed:
            self._raw(REFUSAL)
            self.abort()

    cdef int _finish_close(self) except -1:
        if not self.broken and self.state != HANDSHAKE and self.state != CONNECTING:
            if self.direct is not None or self.memory is not None:
                self._part()
                self.direct = None
                self.memory = None
                if self.out_end > self.out_at:
                    self.state = CLOSING
                    return 0
            if self.lingers and not self.eof:
                self.state = LINGERING
                shutdown(self.fd, SHUT_WR)
                return 0
        return self._finalize()

    cdef int _part(self) except -1:
        # Sends TLS's close_notify; what the socket does not take waits like any other bytes.
        if not self.parted:
            self.parted = True
            self._raw(self.direct.shutdown() if self.direct is not None else self.memory.shutdown())
        return 0

    cdef int _end_flood(self) except -1:
        if self.state != CLOSED:
            self.flooded()
        return 0 if self.state == CLOSED else self._finalize()

    cdef int _finalize(self) except -1:
        self.state = CLOSED
        self.closed = True
        self.have = 0
        self.out_at = self.out_end = 0
        self.poller.remove(self)
        close_fd(self.fd)
        self.fd = -1
        self.direct = None
        self.lost()
        self.tls = None
        self.memory = None
        return 0

    # Called on derived classes

    cpdef connected(self):
        pass

    cpdef connect_failed(self, int error):
        pass

    cpdef suspended(self):
        pass

    cpdef handshaken(self):
        pass

    cpdef unsecured(self):
        self.abort()

    cpdef Py_ssize_t preface(self, bytes data) except -1:
        self.abort()
        return 0

    cpdef introduced(self):
        pass

    cpdef received(self):
        pass

    cpdef ended(self):
        pass

    cpdef drained(self):
        pass

    cpdef flooded(self):
        pass

    cpdef severed(self):
        pass

    cpdef lost(self):
        pass

    cpdef expired(self):
        pass

    @property
    def secured(self):
        """The `ssl.SSLObject` of a TLS connection, or None."""
        return self.tls

    @property
    def session_reused(self):
        """Whether the TLS handshake resumed an earlier session."""
        if self.direct is not None:
            return self.direct.resumed()
        return self.memory is not None and self.memory.tls.session_reused
