"""Sees to it that what is kept back of responses goes on in time (C3).

A body that is compressed is kept back for a moment: its rest may be about to come, and then one piece is smaller and
cheaper than two. All wait equally long, so they are due in the order in which they came, and one timer of the loop
is enough. This file knows nothing of what is kept back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from lb.process.every import WhenDue

DELAY = 0.03
"""Seconds for which something may be kept back: with what a busy machine adds, below 50 ms."""


class Holder(Protocol):
    """Who keeps something back from a client."""

    @property
    def client(self) -> object:
        """From whom."""

    def flush(self) -> None:
        """Send it on, if it is still there."""


class FlushTimer:
    """The timer of one worker; `on_error` is told of a holder that failed, by its client."""

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
