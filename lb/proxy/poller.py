"""Tells connections that their sockets are ready, by the event loop: the uncompiled twin of `poller.pyx`.

The loop itself calls connections; here is what they share: the clock, the read buffer (what is read is handled before
the next read, so one is enough), and the list of those who have something to do without an event of their socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

_BUFFER = 262144  # large bodies want large reads; one buffer a worker, so small ones do not pay for it


class Watched:
    """What a poller looks after."""

    __slots__ = ()

    def on_turn(self) -> None:
        """It asked for a turn of its own (`Poller.later`)."""


class Poller:
    """One worker's poller. `now` is the time of this round, in seconds of the monotonic clock; `on_error` is told of a
    handler that failed, with the one whose handler it was.
    """

    __slots__ = ("_again", "_on_error", "_scheduled", "buffer", "loop", "now")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[Watched, Exception], object]) -> None:
        self.loop = loop
        self.buffer = memoryview(bytearray(_BUFFER))
        self._on_error = on_error
        self._again: list[Watched] = []
        self._scheduled = False
        self.now = monotonic()

    def close(self) -> None:
        """Give nobody a turn any more."""
        self._again.clear()

    def tick(self) -> float:
        """Read the clock; what `now` says until the next round. Returns seconds of the monotonic clock."""
        self.now = monotonic()
        return self.now

    def later(self, watched: Watched) -> None:
        """There is something to do for this one without an event: in the next round."""
        self._again.append(watched)
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self.poll)

    def failed(self, watched: Watched, error: Exception) -> None:
        """A handler raised: whoever made this poller decides what becomes of the connection."""
        try:
            self._on_error(watched, error)
        except Exception as second:  # noqa: BLE001 - the others have their turn whatever happens to one
            self.loop.call_exception_handler({"message": "a connection could not be ended", "exception": second})

    def poll(self) -> None:
        """One round: a turn for everyone who asked for one."""
        self._scheduled = False
        self.now = monotonic()
        again = self._again
        self._again = []
        for watched in again:
            try:
                watched.on_turn()
            except Exception as error:  # noqa: BLE001 - a fault of one connection must not cost the others theirs
                self.failed(watched, error)
