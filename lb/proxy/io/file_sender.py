"""A connection that can send bytes of an open file, and does so without having them in memory where that is possible.

On a plain connection the system moves them (sendfile); over TLS, and where a file system cannot do that, they are read
and sent in modest pieces. What one call sends is bounded, so that others have their turn, and so is what waits: bytes
that the socket does not take stay in the file. The compiled twin is `file_sender.pyx`. It knows descriptors and
offsets; which file it is, and whether it is still as it was, is for its caller to know.
"""

from __future__ import annotations

import errno
import os
import socket

from lb.proxy.io.wire import OPEN, Wire

_TURN = 1 << 21  # bytes that one call sends, before others have their turn
_PIECE = 65536  # bytes that are read at once, where they have to be
_COPIED = 262144  # bytes of them that one call sends
_ROOM, _NEXT = 1, 2  # what is waited for: that the socket takes more, or the next turn
_NOT_HERE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # no sendfile from this file system
_OF_THE_FILE = (errno.EIO, errno.ENOMEM, errno.EOVERFLOW, errno.ESTALE, errno.EISDIR)
_MORE = getattr(socket, "MSG_MORE", 0)


class FileSender(Wire):
    """A connection. While a file waits for its next bytes to be taken, `backlog` is not 0."""

    __slots__ = ("_waits",)

    def set_up(self) -> None:
        Wire.set_up(self)
        self._waits = 0

    def backlog(self) -> int:
        return Wire.backlog(self) + (1 if self._waits else 0)

    def send_file(self, head: bytes, file: int, at: int, size: int) -> int:
        """Send `head`, and behind it what now goes of `size` bytes at `at` of this open file: so many. Fewer: `drained`
        is told when more may go. -1: the file has no such bytes, or cannot be read.
        """
        if self._state != OPEN or self._broken:
            return 0
        if self._memory is not None:
            return self._send_copies(head, file, at, size)
        if head:
            self._send_head(head)
        if self._out or self._broken:
            return 0
        sent, most = 0, min(size, _TURN)
        while sent < most:
            try:
                n = os.sendfile(self._sock.fileno(), file, at + sent, most - sent)
            except (BlockingIOError, InterruptedError):
                self._wait(_ROOM)
                return sent
            except OSError as error:
                return self._send_otherwise(error.errno or 0, file, at, size, sent)
            if n == 0:
                return self._ended(sent)
            sent += n
        if sent < size:
            self._wait(_NEXT)
        return sent

    def _send_otherwise(self, number: int, file: int, at: int, size: int, sent: int) -> int:
        """The system cannot move the bytes behind the first `sent`, for this errno."""
        if number in _NOT_HERE:
            n = self._send_copies(b"", file, at + sent, size - sent)
            return sent + n if n >= 0 else self._ended(sent)
        if number in _OF_THE_FILE:
            return self._ended(sent)
        self.failure = number
        self._break()
        return sent

    def _send_head(self, head: bytes) -> None:
        """What comes next goes into the same packet."""
        if self._out:
            self._queue(head)
            return
        try:
            n = self._sock.send(head, _MORE)
        except (BlockingIOError, InterruptedError):
            n = 0
        except OSError as error:
            self.failure = error.errno or 0
            self._break()
            return
        if n < len(head):
            self._queue(memoryview(head)[n:])

    def _send_copies(self, head: bytes, file: int, at: int, size: int) -> int:
        sent = 0
        while sent < size:
            if self._out and not head:
                return sent
            try:
                piece = os.pread(file, min(size - sent, _PIECE), at + sent)
            except OSError:
                piece = b""
            if not piece:
                return self._ended(sent)
            self.send(head + piece)
            head = b""
            sent += len(piece)
            if self._broken or self._out:
                return sent
            if sent >= _COPIED and sent < size:
                self._wait(_NEXT)
                return sent
        return sent

    def _ended(self, sent: int) -> int:
        """The file has no more bytes behind these: the next call says so, and comes by itself."""
        if not sent:
            return -1
        self._wait(_NEXT)
        return sent

    def give_way(self) -> None:
        """Let others have their turn: `drained` is told then."""
        if self._state == OPEN and not self._broken and not self._out and not self._waits:
            self._wait(_NEXT)

    def _wait(self, what: int) -> None:
        self._waits = what
        if what == _ROOM:
            self._want_to_write()
        else:
            self._later()

    def _go_on(self) -> None:
        self._waits = 0
        self.drained()

    def _on_writable(self) -> None:
        if not self._waits or self._out or self._state != OPEN:
            super()._on_writable()
            return
        try:
            self._go_on()
            if self._waits != _ROOM and not self._out:
                self._stop_writing()
        except Exception as error:  # noqa: BLE001 - a fault of one connection must not cost the others theirs
            self.poller.failed(self, error)

    def on_turn(self) -> None:
        waited = self._waits
        Wire.on_turn(self)
        if waited == _NEXT and self._waits and self._state == OPEN and not self._broken and not self._out:
            self._go_on()
