"""Where an answer goes: what an exchange may ask of its client's side, whatever protocol is spoken there.

An exchange says what to send (a head, what has arrived of a body, its end), when to read less or more from its
client, and when it is done. How that is written, and what is multiplexed with it, is up to derived classes, such as an
HTTP/1 connection. What the client has sent is in the read buffer, which is the base class. Nothing here knows a
socket, and nothing derived from it knows what a request means.
"""

from __future__ import annotations

import os

from lb.proxy.handler import Handler
from lb.proxy.io.read_buffer import ReadBuffer

_PIECE = 65536


class Downstream(ReadBuffer):
    """A client's side of an exchange, and the base of every connection: all of them have a deadline.

    `handler` is told what happens; `deadline`, `due` and `slot` are the wheel's (`io.deadlines`). `closed` says that it
    is over, `failure` is the errno if it failed; `paused` means that nothing is read, `full` that its backlog has to
    drain before more is written, `large_reads` that much is read at once. `leaving` means that the client has shut
    its side; `can_stream` that it understands bodies of unknown length and interim responses; `is_http2` that it is one
    stream of several.
    """

    __slots__ = (
        "can_stream",
        "closed",
        "deadline",
        "due",
        "failure",
        "full",
        "handler",
        "is_http2",
        "large_reads",
        "leaving",
        "paused",
        "slot",
    )

    def set_up(self) -> None:
        """Set the initial state. For derived classes without their own: a compiled one starts with zeros."""
        self.handler: Handler | None = None
        self.deadline = self.due = 0.0
        self.slot = -1
        self.failure = 0
        self.closed = self.full = self.large_reads = self.leaving = self.paused = False
        self.can_stream = True
        self.is_http2 = False

    # Its handler, and how much is read

    def tell(self, handler: Handler | None) -> None:
        """From now on, tell this handler what happens here; None for no handler."""
        self.handler = handler

    def read_much(self, much: bool) -> None:
        """Whether reads are large: for a body, or from a client that has shown that it keeps up."""
        self.large_reads = much

    def pause(self) -> None:
        """Read nothing until `resume`."""

    def resume(self) -> None:
        """Read again, from the next round on."""

    def read_on(self) -> None:
        """As `resume`, unless too much that has to wait is buffered already."""

    def arm(self) -> None:
        """Set the deadline for the present state."""

    # The answer. A head goes out together with the first bytes that follow it.

    def head(self, lines: bytes, date: bytes, persistent: bool, streamed: bool) -> None:
        """The final head: status line and field lines, and the Date line unless they contain it. `persistent` says that
        the client may send another request, `streamed` that a body of unknown length follows (only if `can_stream`).
        """

    def body(self, source: ReadBuffer, trailers: bytes | None) -> None:
        """What is ready at `source` comes next in the body; `trailers` are the field lines after its last piece, None
        while more is to come.
        """

    def piece(self, data: bytes, trailers: bytes | None) -> None:
        """As `body`, for bytes that were made here."""

    def transfer(self, file: int, at: int, size: int) -> int:
        """What goes now of `size` bytes at `at` of this open file is next in the body, whose length the head has told:
        so many. Fewer: `client_drained` is told when more may go. -1: the file has no such bytes, or cannot be read.
        """
        try:
            data = os.pread(file, min(size, _PIECE), at)
        except OSError:
            data = b""
        if not data:
            return -1
        self.piece(data, None)
        self.give_way()
        return len(data)

    def give_way(self) -> None:
        """Let others have their turn, and be told `client_drained` then."""

    def interim(self, lines: bytes) -> None:
        """A whole 1xx head, as status line and field lines."""

    def switch(self, lines: bytes, protocol: bytes) -> None:
        """The head of a 101; after it `body` sends bytes of that protocol unchanged."""

    def offered(self, lines: bytes, _protocol: bytes) -> bytes:
        """The lines of a 426, with the protocol that the app offers if this side can express it."""
        return lines

    def probe(self, head_out: bool) -> None:
        """Send something that distinguishes a client that is leaving from one that is gone; `head_out` says whether the
        final head has been sent.
        """

    # The end

    def end(self) -> None:
        """Send nothing more, once the backlog has gone; the peer may still send."""

    def abort(self) -> None:
        """End it now, visibly incomplete."""

    def reset(self) -> None:
        """As `abort`, for where the end of the connection would look like the end of the body."""

    def done(self, keep_alive: bool, unread: bool) -> None:
        """The exchange has ended. `keep_alive` says that the client was told it may send another request; it then may,
        even if a drain has begun since. `unread` says that bytes of its request may still arrive.
        """

    def expired(self) -> None:
        """Its deadline has passed."""
