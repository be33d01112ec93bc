"""The outgoing half of a stream, as far as its connection has to know it in order to send.

What an exchange has sent and the client may not be sent yet waits here: because the client's window is shut, because
the connection is full, or because it is another stream's turn. `scheduler` knows whose turn it is, `sender` writes the
frames. This file knows neither.
"""

from __future__ import annotations

from lb.proxy.downstream import Downstream
from lb.proxy.io.read_buffer import ReadBuffer

URGENCY = 3
"""Of a stream that says nothing (RFC 9218 section 4.1)."""


class Flow(Downstream):
    """Bytes on their way to the client: those of stream `number`.

    `pending` holds what waits, None until there is anything; `trailers` are the field lines after it, None while more
    may come. `window` is how many bytes the client may still be sent, `head_size` how many its request's head has.
    `ended` says that END_STREAM was sent, `queued` that it waits for its turn, `moved` that some of what waited was
    sent. Of the priority, `urgency` is between 0 and 7, least for the most urgent, and `takes_turns` says that others
    of the same urgency go between its frames.
    """

    __slots__ = (
        "ended",
        "head_size",
        "moved",
        "number",
        "pending",
        "queued",
        "takes_turns",
        "trailers",
        "urgency",
        "window",
    )

    def __init__(self, number: int, window: int) -> None:
        super().__init__()
        self.set_up()
        self.number = number
        self.head_size = 0
        self.pending: ReadBuffer | None = None
        self.trailers: bytes | None = None
        self.window = window
        self.urgency = URGENCY
        self.takes_turns = True
        self.queued = self.ended = self.moved = False

    def waiting(self) -> int:
        """Bytes that are yet to be sent."""
        return 0 if self.pending is None else self.pending.have

    def took(self) -> None:
        """The client was sent some of what waited, or others have had their turn."""
