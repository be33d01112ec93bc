"""One connection's bytes, in both directions, plain or TLS: what a Wire is and does. The compiled twin is `wire.pyx`.

A derived class is told what happens: `connected` or `connect_failed`, `preface` (what has arrived before everything
else) and `introduced` (it was read), `suspended` (a handshake that has to wait), `handshaken`, `received`, `ended` (the
peer has shut its side), `drained` (some of the backlog went), `severed` (a client broke the connection while it was
paused), `flooded` (it sends TLS records without data, and is closed), `expired`, and `lost`: once, at the end of every
connection except one that failed to be made. It takes what has arrived as `read_buffer` says; what it leaves stays
until more comes.

Guarantees: a socket is read only in a round of the poller, never within a call from somewhere else, and what was read
is handled before anything else is read. What was made ready is sent on in the same call. A write that fails is
reported as `lost` in the next round, since its caller is in the middle of something. `again` and `resume` take effect
in the next round, too.

Writing goes to the socket at once; what it does not take waits in a backlog, which is `full` above 64 KiB until it is
down to 16. The meaning of messages, deadlines (they are only stored here) and pools are handled elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import ssl
import struct
import sys
import termios
from contextlib import suppress
from types import FunctionType

from lb.proxy.downstream import Downstream
from lb.proxy.io.memory_tls import REFUSAL, MemoryTls, Terminator
from lb.proxy.io.poller import Poller
from lb.proxy.io.read_buffer import ReadBuffer

CONNECTING, HANDSHAKE, OPEN, CLOSING, LINGERING, CLOSED = range(6)
# CLOSING: the backlog is still to be sent. LINGERING: our side is shut; what arrives is discarded, so that our last
# reply is not lost to a reset.

DIRECT = False
"""Whether TLS bytes go to OpenSSL directly; here they go through Python's `ssl.MemoryBIO`."""

_HIGH = 65536  # bytes of backlog at which the other side is paused
_LOW = 16384
_LARGE = 262144  # bytes per read of a large body
_MODEST = 32768  # bytes per read from a client that should not send much: all of it may have to be kept
_FIRST = 8192  # the first piece from a client while the cost of its bytes is unknown, when that matters
_LEAST = 2048
# The most TLS records without data that data has not made up for, or that a handshake may take: no real client needs
# as many. And from how many of them on a connection waits for its turns.
_BARREN = 512
_BORNE = 32
_MANY_READY = 8  # ready connections from which on none may take long over its turn
# Seconds that a piece may take; one that takes longer is followed by smaller ones. The compiled twin needs a fifth of
# the time.
_LONG = 0.005
_LONG_IF_MANY = 0.001
# After 45 s of silence the system probes an instance, every 15 s, three times.
_PROBING = tuple(
    (getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 45), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
)
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets
_MOST_PREFACE = 4352
_JOINED = 16384  # up to this size one copy is cheaper than a vector for the system call


class Wire(Downstream):
    """A connection. `on_hold` says that the handshake is paused, `heard` when the last discarded bytes came, and
    `tls_failure` why TLS to an instance failed, None unless it did.
    """

    # Derived classes must not reuse the name of one of these slots.
    __slots__ = (
        "_broken",
        "_ending",
        "_eof",
        "_expensive",
        "_greeted",
        "_heard",
        "_held",
        "_lingers",
        "_memory",
        "_most",
        "_muted",
        "_out",
        "_outward",
        "_owed",
        "_parted",
        "_prefaced",
        "_queued",
        "_read_size",
        "_sock",
        "_state",
        "_writing",
        "heard",
        "on_hold",
        "poller",
        "resumed",
        "tls_failure",
    )

    poller: Poller
    _sock: socket.socket

    def __init_subclass__(cls) -> None:
        # The interpreter caches at each place of the code what it found for the last class there. Code shared by
        # clients and connections to instances would miss half the time: a tenth of a request's cost.
        for base in cls.__mro__[1:]:
            for name, shared in vars(base).items() if issubclass(base, ReadBuffer) else ():
                if isinstance(shared, FunctionType) and name not in vars(cls):
                    setattr(cls, name, _copy(shared))

    def __init__(self) -> None:
        super().__init__()
        self.set_up()
        self.heard = 0.0
        self._held = 0
        self._most = _MODEST
        self._read_size = _FIRST
        self._expensive = False  # the last piece took long
        self.on_hold = self.resumed = False
        self._state = OPEN
        self._out: bytearray | None = None
        self._memory: MemoryTls | None = None
        self.tls_failure: tuple[str, str] | None = None
        self._heard = self._writing = False  # whether the loop reports bytes to read, and room to write
        self._owed = 0  # bytes of the backlog that TLS made by itself
        self._greeted = self._parted = self._prefaced = False
        self._ending = False  # `end` was called
        self._eof = self._broken = self._queued = self._lingers = self._outward = self._muted = False

    # Beginning

    def expect_preface(self) -> None:
        """Something comes before everything else, the TLS handshake included: `preface` reads it."""
        self._prefaced = True
        self._state = HANDSHAKE

    def attach(self, poller: Poller, fd: int) -> None:
        """Serve a connected descriptor that does not block; it belongs to the Wire from now on."""
        self.poller = poller
        # The address family is not queried: that would be three calls, and neither reading nor writing needs it.
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
        self._hear()

    def start_tls(self, contexts: Terminator) -> None:
        """Use TLS on this connection, on the side that `contexts` make; nothing may be sent before `handshaken`."""
        # What raises here leaves a connection without TLS, which must not be taken for one in a handshake.
        self._memory = MemoryTls(contexts)
        self._state = HANDSHAKE
        if self._outward:  # we speak first
            self._greeted = self._memory.held = True
            self._later()

    def connect(self, poller: Poller, family: int, address: str | tuple[str, int], _packed: bytes) -> int:
        """Connect: 0 if that is done, EINPROGRESS if the result will be reported, else the errno of the failure."""
        self._outward = True
        self._most = 4 * _MODEST
        self._read_size = _LARGE
        self.poller = poller
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            return self._unconnected(error)
        self._sock = sock
        try:
            sock.setblocking(False)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # An instance that vanishes ends its idle tunnels, too. (Clients: `control.keep_alive`.)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                for option, value in _PROBING:
                    sock.setsockopt(socket.IPPROTO_TCP, option, value)
            sock.connect(address)
        except BlockingIOError as error:
            if error.errno != errno.EINPROGRESS:  # a Unix socket's queue is full
                sock.close()
                return self._unconnected(error)
            self._state = CONNECTING
        except OSError as error:
            sock.close()
            return self._unconnected(error)
        try:
            if self._state != CONNECTING:
                self._hear()
                return 0
            self._want_to_write()
        except OSError as error:
            sock.close()
            return self._unconnected(error)
        return errno.EINPROGRESS

    def _unconnected(self, error: OSError) -> int:
        self._state = CLOSED
        self.closed = True
        number = error.errno or 0
        return number if number > 0 else errno.EHOSTUNREACH

    # Events

    def _on_readable(self) -> None:
        try:
            if self._state == OPEN and not self.paused and not self._expensive:
                self._fill()
            elif self._state >= CLOSING:
                self._discard()
            elif self.paused:
                self._do_not_hear()
                self._hear_of_a_break()
            elif self.on_hold:
                self._look_while_held()
            else:
                self._later()  # it costs as much as a dozen requests: those go first
        except Exception as error:  # noqa: BLE001 - a fault of one connection must not cost the others theirs
            self.poller.failed(self, error)

    def _on_writable(self) -> None:
        try:
            if self._state == CONNECTING:
                self._conclude_connecting()
            if self._out:
                self._flush()
            elif self._state != CLOSED:
                self._stop_writing()
        except Exception as error:  # noqa: BLE001 - as above
            self.poller.failed(self, error)

    def on_turn(self) -> None:
        self._queued = False
        if self._state == CLOSED:
            return
        if self._broken:
            self._last_words()
            return
        if self._memory is not None and self._memory.held:
            if not self.on_hold:
                self._memory.go_on(_LARGE)
                self._after_step(self._memory)
                self._listen()
            return
        if self.resumed:
            self.resumed = False
            if self.have and self._state == OPEN:
                self._handle()
        if self._heard and not self.paused and (self._state == HANDSHAKE or (self._expensive and self._state == OPEN)):
            self._fill()

    def _later(self) -> None:
        if not self._queued:
            self._queued = True
            self.poller.later(self)

    def _conclude_connecting(self) -> None:
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._state = CLOSED
            self.closed = True
            self._forget_socket()
            self.connect_failed(error)
        else:
            self._state = OPEN
            self._hear()
            self.connected()

    def _fill(self) -> None:
        """Read once, and let the bytes be handled."""
        if self._prefaced and not self._read_preface():
            return
        if self._state == HANDSHAKE and not self._greeted and not self._greet():
            return
        memory = self._memory
        if memory is not None and self._owed > _LOW:
            self._do_not_hear()  # it requests, and does not read what TLS answers by itself, until `_flush` has sent it
            return
        room = self._most
        if self.large_reads or (self._read_size < room and (self._expensive or self.poller.ready_count > _MANY_READY)):
            room = self._read_size
        if memory is not None and memory.waits:
            self._take_cipher(memory, None, room)
        else:
            self._read(room)
        if self._eof and self._state < CLOSING:
            self._tell_end()

    def _read(self, room: int) -> None:
        try:
            data = self._sock.recv(room)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.failure = error.errno or 0
            self._finish()
            return
        if self._memory is not None:
            self._take_cipher(self._memory, data, room)
        elif data:
            self._take(data, len(data) == room, 0.0)
        else:
            self._hear_end()

    def _take(self, data: bytes, is_full: bool, began: float) -> None:
        if self.have:
            self._add(data)
        else:
            self._data = data
            self._at = 0
            self.have = len(data)
        if is_full:
            self._handle_much(began)
        else:
            self._expensive = False
            self._handle()

    def _take_cipher(self, memory: MemoryTls, cipher: bytes | None, room: int) -> None:
        """Take what was read, up to `room`; None for what is left of earlier reads."""
        began = self.poller.tick()
        data = self._decrypt(memory, cipher, room)
        if memory.barren > _BARREN:
            self._end_flood()
            return
        is_full = memory.waits or cipher is None or len(cipher) == room
        if data:
            self._take(data, is_full, began)
        elif is_full:
            self._take_less_or_more(self.poller.tick() - began)
        else:
            self._expensive = False
        if memory.waits or memory.barren > _BORNE:
            self._expensive = True
            self._listen()

    def _hear_end(self) -> None:
        if self._broken:  # a reset that the failed write was told of: no orderly end
            self._finish()
        else:
            self._eof = True

    def _read_preface(self) -> bool:
        """Look at what comes before everything else, and take it off the socket when it is whole: True then."""
        sock = self._sock
        least = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        try:
            data = sock.recv(_MOST_PREFACE, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if not data or (least > 1 and len(data) < least):  # no more will come
            self._finish()
            return False
        size = self.preface(data)
        if self._state == CLOSED:
            return False
        # The loop reports what stays in the socket again and again: not before there is more.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1 if size else len(data) + 1)
        if not size:
            return False
        sock.recv(size)
        self._prefaced = False
        if self._memory is None:
            self._state = OPEN
        self.introduced()
        return self._state in (HANDSHAKE, OPEN)

    def _greet(self) -> bool:
        """Check the first byte: whether it may be TLS; False if nothing is there, or plain HTTP."""
        try:
            first = self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._finish()
            return False
        self._greeted = True
        if not first.isalpha():  # TLS never begins with a letter, a method always does
            return True
        self._memory = None
        self._state = OPEN
        self.unsecured()
        return False

    def _tell_end(self) -> None:
        self._do_not_hear()
        self.ended()
        if self._state == OPEN and not self._muted:
            self._hear_of_a_break()  # it has shut its side, and may break later

    def _handle_much(self, began: float) -> None:
        """There is more than was read, or decrypted since `began`."""
        poller = self.poller
        if self.large_reads or self._expensive or poller.ready_count > _MANY_READY:
            began = began or poller.tick()
            self._handle()
            self._take_less_or_more(poller.tick() - began)
        else:
            self._handle()

    def _take_less_or_more(self, seconds: float) -> None:
        """Adapt the size of pieces for a peer that has sent more than was read: cheap bytes come in large pieces, a
        peer whose bytes are expensive waits more often.
        """
        much = _LONG_IF_MANY if self.poller.ready_count > _MANY_READY else _LONG
        self._expensive = seconds > much
        if self._expensive:
            self._read_size = max(int(self._read_size * much / seconds), _LEAST)
        elif seconds < much / 4:
            self._read_size = min(self._read_size * 2, _LARGE)

    def _handle(self) -> None:
        self.received()
        self.ready = 0
        if not self.have:
            self._data = b""  # an idle connection owns no buffer

    def _decrypt(self, memory: MemoryTls, cipher: bytes | None, room: int) -> bytes:
        plain = memory.go_on(room) if cipher is None else memory.feed(cipher, room)
        self._after_step(memory)
        if memory.failed or memory.held:
            return b""
        if self._state == HANDSHAKE and memory.established:
            self._state = OPEN
            self.handshaken()
            if self._state != OPEN:
                return b""
        if cipher == b"" or memory.ended:
            self._eof = True
        return plain

    def _after_step(self, memory: MemoryTls) -> None:
        answer = memory.outgoing()
        if answer:
            self._write(answer)
            if self._out:
                self._owed += len(answer)
        if memory.failed:
            if self._outward:
                self.tls_failure = memory.failure
            self._finish()
        elif memory.held:
            self.on_hold = True
            self.suspended()

    def _look_while_held(self) -> None:
        """The only event from a held client is that it leaves."""
        if self._has_come():
            self._do_not_hear()
            self._hear_of_a_break()
        else:
            self._finish()

    def _discard(self) -> None:
        """Discard what arrives after our last word."""
        if self._state == CLOSED:
            return
        try:
            n = len(self._sock.recv(_LARGE))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            n = -1
        if n < 0 or (n == 0 and self._state == LINGERING):
            self._finish()
        elif n == 0:
            self._eof = True
            self._do_not_hear()
        else:
            self.heard = self.poller.now

    # What the loop is asked to report

    def _hear(self) -> None:
        if self._eof:
            return
        self._unmute()
        if not self._heard:
            self.poller.add_reader(self._sock.fileno(), self._on_readable)
            self._heard = True

    def _listen(self) -> None:
        """Go on reading, unless paused: no socket event tells of what is left in memory."""
        if self._state in (OPEN, HANDSHAKE) and not self.paused and not self.on_hold:
            self._hear()
            if self._memory is not None and self._memory.waits:
                self._later()

    def _hear_of_a_break(self) -> None:
        if (self._eof or not self._outward) and not self._muted:
            self.poller.add_breaker(self._sock.fileno(), self._on_break)
            self._muted = True

    def _on_break(self) -> None:
        try:
            self.failure = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if self.on_hold or (self._eof and self._state == OPEN):
                self._finish()
            elif self.paused and self._state == OPEN:
                self.severed()
        except Exception as error:  # noqa: BLE001 - as above
            self.poller.failed(self, error)

    def _unmute(self) -> None:
        if self._muted:
            self._muted = False
            self.poller.remove_breaker(self._sock.fileno())

    def _do_not_hear(self) -> None:
        if self._heard:
            self._heard = False
            self.poller.remove_reader(self._sock.fileno())

    def _want_to_write(self) -> None:
        if not self._writing:
            self.poller.add_writer(self._sock.fileno(), self._on_writable)
            self._writing = True

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self.poller.remove_writer(self._sock.fileno())

    def _forget_socket(self) -> None:
        # The loop first: the number of a closed descriptor may be reused the next moment.
        self._unmute()
        self._do_not_hear()
        self._stop_writing()
        self._sock.close()

    # Reading

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self.paused = True

    def resume(self) -> None:
        """Read again, from the next round on."""
        if self.paused:
            self.paused = False
            self._listen()

    def again(self) -> None:
        """Call `received` once more in the next round, for what is unread."""
        self.resumed = True
        self._later()

    def is_stale(self) -> bool:
        """Whether the peer of an idle connection has closed it or sent something unasked, and no event came yet."""
        if self._state != OPEN or self._broken or self._eof or self.have:
            return True
        if self._memory is not None and self._memory.waits:
            return True
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        return True

    # Writing

    def backlog(self) -> int:
        """Bytes that the socket has not taken yet."""
        return len(self._out) if self._out else 0

    def send(self, data: bytes) -> None:
        """Send; no effect on a connection that is over."""
        state = self._state
        if (state != OPEN and (state >= LINGERING or state == HANDSHAKE or self._parted)) or self._broken or not data:
            return
        if self._memory is not None:
            try:
                data = self._memory.encrypt(data)
            except ssl.SSLError:
                self._break()
                return
        self._write(data)

    def send_with(self, prefix: bytes | None, source: ReadBuffer, suffix: bytes | None) -> None:
        """Send what is ready at `source` between two pieces, in one system call if the socket takes them."""
        payload = source.take_ready()
        if len(payload) <= _JOINED or self._memory is not None or self._out:
            self.send(b"".join((prefix or b"", payload, suffix or b"")))
        elif self._state < LINGERING and not self._parted and not self._broken:
            self._send_pieces((prefix or b"", payload, suffix or b""))

    def _send_pieces(self, pieces: tuple[bytes, ...]) -> None:
        try:
            n = self._sock.sendmsg(pieces)
        except (BlockingIOError, InterruptedError):
            n = 0
        except OSError as error:
            self.failure = error.errno or 0
            self._break()
            return
        for piece in pieces:
            if n < len(piece):
                self._queue(memoryview(piece)[n:])
            n = max(n - len(piece), 0)

    def _write(self, data: bytes) -> None:
        """To the socket as it is, or after its backlog."""
        if self._out:
            self._queue(data)
            return
        try:
            n = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            n = 0
        except OSError as error:
            self.failure = error.errno or 0
            self._break()
            return
        if n < len(data):
            self._queue(memoryview(data)[n:])

    def _queue(self, data: bytes | memoryview) -> None:
        if self._out is None:
            self._out = bytearray()
        self._out += data
        if len(self._out) > _HIGH:
            self.full = True
        self._want_to_write()

    def _flush(self) -> None:
        out = self._out
        if not out:
            return
        try:
            n = self._sock.send(out)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.failure = error.errno or 0
            self._break()
            return
        del out[:n]
        if not out:
            self._out = None
            self._stop_writing()
        if self._state == CLOSING and not out:
            self._finish_close()
            if self.closed:
                return
        elif self._ending and not out:
            self._shut()
        if len(out) <= _LOW:
            self.full = False
            if self._owed:
                self._owed = 0
                self._listen()
        self.drained()

    def _break(self) -> None:
        # A write failed. The caller is in the middle of something: the end is reported in the next round.
        if not self._broken:
            self._broken = True
            self._out = None
            self._stop_writing()
            self._later()

    # Ending

    def _last_words(self) -> None:
        """A write failed. What an instance sent before it broke off is still to be read: an early answer, perhaps."""
        if self._outward and self._state == OPEN and not self._eof and self._has_come():
            if not self.paused:
                self._fill()
                if not self.closed:
                    self._later()
            return
        self._finish()

    def _has_come(self) -> bool:
        with suppress(OSError):
            return bool(self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        return False

    def takes(self) -> bool:
        """Whether the peer has taken anything since the last call: the system holds less for it."""
        before = self._held
        try:
            self._held = int.from_bytes(fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        except (OSError, ValueError):
            return False
        return self._held < before

    def is_closing(self) -> bool:
        """Whether nothing more is to be read or answered: it is closing, or closed."""
        return self._state >= CLOSING

    def end(self) -> None:
        """Send nothing more, once the backlog has gone; the peer may still send (the half-close of a tunnel)."""
        if self._state == OPEN and not self._ending and not self._broken:
            self._ending = True
            if self._memory is not None:
                # The socket stays open for what the peer's next records ask of us.
                self._part(self._memory)
            elif not self._out:
                self._shut()

    def _shut(self) -> None:
        if self._memory is None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close when the backlog has been sent."""
        if self._state >= CLOSING:
            return
        if self._out and self._state == OPEN and not self._broken:
            self._state = CLOSING
            self._hear()
        else:
            self._finish_close()

    def close_lingering(self) -> None:
        """As `close`, but discard what still arrives until the peer closes, too, or `abort` is called."""
        self._lingers = True
        self.close()

    def abort(self) -> None:
        """Close now."""
        if self._state != CLOSED:
            self._finish()

    def reset(self) -> None:
        """As `abort`, but tell the peer that this is no orderly end."""
        if self._state != CLOSED:
            with suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self._finish()

    def go_on(self) -> None:
        """Go on with a handshake that is held, in the next round."""
        if self.on_hold and not self.closed:
            self.on_hold = False
            self._hear()
            self._later()

    def refuse_handshake(self) -> None:
        """End a handshake that is held, with the alert unrecognized_name."""
        if self.on_hold and not self.closed:
            self._write(REFUSAL)
            self.abort()

    def _finish_close(self) -> None:
        if not self._broken and self._state not in (HANDSHAKE, CONNECTING):
            if self._memory is not None:
                self._part(self._memory)
                self._memory = None
                if self._out:
                    self._state = CLOSING
                    self._hear()
                    return
            with suppress(OSError):  # it may have been broken already
                if self._lingers and not self._eof:
                    self._state = LINGERING
                    self._sock.shutdown(socket.SHUT_WR)
        if self._state == LINGERING:
            self._hear()
        else:
            self._finish()

    def _part(self, memory: MemoryTls) -> None:
        """Send TLS's close_notify; what the socket does not take waits like any other bytes."""
        if not self._parted:
            self._parted = True
            last = memory.shutdown()
            if last:
                self._write(last)

    def _end_flood(self) -> None:
        if self._state != CLOSED:
            self.flooded()
        if self._state != CLOSED:
            self._finish()

    def _finish(self) -> None:
        self._state = CLOSED
        self.closed = True
        self.have = 0
        self._data = b""
        self._at = 0
        self._out = None
        self._forget_socket()
        self.lost()
        self._memory = None

    # Called on derived classes

    def connected(self) -> None:
        """The connection that `connect` began is made."""

    def connect_failed(self, error: int) -> None:
        """It could not be made, for this errno; `closed` is set and nothing else will be reported."""

    def suspended(self) -> None:
        """The client hello callback asked for the handshake to wait: until `go_on` or `refuse_handshake`."""

    def handshaken(self) -> None:
        """The TLS handshake is done: `secured` knows what was agreed."""

    def unsecured(self) -> None:
        """Plain HTTP arrived where a TLS handshake was expected; it is read as on any connection."""
        self.abort()

    def preface(self, _data: bytes) -> int:
        """Bytes have arrived before everything else: how many of them are the preface, 0 while it is incomplete."""
        self.abort()
        return 0

    def introduced(self) -> None:
        """The whole preface was read."""

    def received(self) -> None:
        """There are unread bytes."""

    def ended(self) -> None:
        """The peer will send no more."""

    def drained(self) -> None:
        """The socket has taken some of the backlog."""

    def flooded(self) -> None:
        """The peer sends little but TLS records without data; the connection is closed at once."""

    def severed(self) -> None:
        """The peer has broken the connection, which is not being read; nothing else will close it."""

    def lost(self) -> None:
        """The connection is closed."""

    def expired(self) -> None:
        """Its deadline has passed."""

    @property
    def secured(self) -> ssl.SSLObject | None:
        """The TLS side of the connection, or None."""
        return self._memory.tls if self._memory is not None else None

    @property
    def session_reused(self) -> bool:
        """Whether the TLS handshake resumed an earlier session."""
        return self._memory is not None and bool(self._memory.tls.session_reused)


def _copy(function: FunctionType) -> FunctionType:
    return FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
