"""Where an answer goes: what an exchange may ask of its client's side, whatever is spoken there.

An exchange says what is to go (a head, what has come of a body, its end), when it wants to hear less or more of its
client, and when it is done. How that is written, and what is multiplexed with it, is for derived classes to know: an
HTTP/1 connection is one. What has come from the client stands in the read buffer that this is. Nothing here knows a
socket, and nothing that derives from it knows what a request means.
"""

from __future__ import annotations

import os

from lb.proxy.handler import Handler
from lb.proxy.io.read_buffer import ReadBuffer

_PIECE = 65536


class Downstream(ReadBuffer):
    """A client's side of an exchange, and what else has a deadline: every connection.

    `handler` is told what happens; `deadline`, `due` and `slot` are the wheel's (`io.deadlines`). `closed` says that it
    is over, and `failure` with which errno, if with one; `paused` that nothing is read, `full` that whoever fills it
    had better wait, `greedy` that much is to be read at once. `leaving` says that the client has shut its side;
    `can_stream` that it can be told where a body ends whose length is not known, and knows interim responses.
    """

    __slots__ = (
        "can_stream",
        "closed",
        "deadline",
        "due",
        "failure",
        "full",
        "greedy",
        "handler",
        "leaving",
        "paused",
        "slot",
    )

    def set_up(self) -> None:
        """How it begins, for derived classes that do not know better: a compiled one begins with zeros."""
        self.handler: Handler | None = None
        self.deadline = self.due = 0.0
        self.slot = -1
        self.failure = 0
        self.closed = self.full = self.greedy = self.leaving = self.paused = False
        self.can_stream = True

    # Whom it tells, and how much

    def tell(self, handler: Handler | None) -> None:
        """Tell this one from now on what happens here; None: nobody."""
        self.handler = handler

    def read_much(self, much: bool) -> None:
        """Whether much is to be read at once: of a body, or from one who has shown to take it."""
        self.greedy = much

    def pause(self) -> None:
        """Read nothing until `resume`."""

    def resume(self) -> None:
        """Read again, from the next round on."""

    def read_on(self) -> None:
        """As `resume`, unless too much has come of what is to be handled later."""

    def arm(self) -> None:
        """Set the deadline that the state of things asks for."""

    # The answer. A head goes out with what comes first behind it.

    def head(self, lines: bytes, date: bytes, persistent: bool, streamed: bool) -> None:
        """The final head: status line and field lines, and the Date line, if it is not one of them. `persistent` says
        that the client may ask again, `streamed` that a body of unknown length follows (only where `can_stream`).
        """

    def body(self, source: ReadBuffer, trailers: bytes | None) -> None:
        """What is ready at `source` is next in the body; `trailers` are the field lines behind the last piece of it,
        None as long as more is to come.
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
        """The head of a 101; from here on `body` sends bytes of that protocol, as they are."""

    def offered(self, lines: bytes, _protocol: bytes) -> bytes:
        """The lines of a 426, with the protocol that the app offers where that can be said."""
        return lines

    def probe(self, head_out: bool) -> None:
        """Send something by which a client that is leaving is told from one that is gone; `head_out` says whether the
        final head has gone.
        """

    # The end

    def end(self) -> None:
        """No more bytes from us, once all that waits has gone; theirs still come."""

    def abort(self) -> None:
        """End it now, so that the client sees that something is missing."""

    def reset(self) -> None:
        """As `abort`, where the end of the connection would look like the end of the body."""

    def done(self, keep_alive: bool, unread: bool) -> None:
        """The exchange has ended; `keep_alive` says that the client was told it may ask again, and then it may, though
        a drain has begun since; `unread` that bytes of its request may still come.
        """

    def expired(self) -> None:
        """Its deadline has passed."""
