"""Makes sure that held-back parts of responses are sent in time (C3).

A compressed body is held back for a moment: if its rest follows at once, one piece is smaller and cheaper than two. All
wait equally long, so they become due in the order in which they came, and one timer of the loop is enough. This file
does not know what is held back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from lb.process.every import WhenDue

DELAY = 0.03
"""Seconds for which output may be held back: with the delay of a busy machine, below 50 ms."""


class Holder(Protocol):
    """Holds back output for a client."""

    @property
    def client(self) -> object:
        """The client that the output is for."""

    def flush(self) -> None:
        """Send it, if it is still there."""


class FlushTimer:
    """The timer of one worker; `on_error` gets the client of a holder that failed."""

    __slots__ = ("_due", "_loop", "_on_error", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[object, Exception], object]) -> None:
        self._loop = loop
        self._on_error = on_error
        self._due: deque[tuple[float, Holder]] = deque()
        self._timer = WhenDue(loop, self._next, self._turn)

    def expect(self, holder: Holder) -> None:
        """Call this holder's `flush` in time."""
        self._due.append((self._loop.time() + DELAY, holder))
        self._timer.expect()

    def _next(self) -> float | None:
        return self._due[0][0] if self._due else None

    def _turn(self) -> None:
        due = self._due
        now = self._loop.time() + 0.001  # the loop counts in milliseconds
        while due and due[0][0] <= now:
            holder = due.popleft()[1]
            try:
                holder.flush()
            except Exception as error:  # noqa: BLE001 - the others have their turn whatever happens to one
                self._on_error(holder.client, error)
