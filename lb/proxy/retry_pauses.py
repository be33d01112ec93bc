"""The exchanges of a worker whose instances all refused a connection a moment ago: each tries again ten times a second.

A single instance that restarts refuses connections until it listens again; with `retry_for` its clients wait for that.
They are apart from the queue for busy instances, whose exchanges are woken when one has become free. This file knows
neither instances nor for how long an exchange may go on: that is for the exchange to say, by leaving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from lb.process.every import WhenDue

PAUSE = 0.1
"""Seconds between two attempts of one exchange."""

_AT_ONCE = 20  # attempts of one turn, whatever comes of them; the others wait for the next turn


class PausedExchange(Protocol):
    """An exchange that waits a moment."""

    @property
    def client(self) -> object: ...

    def forward(self) -> None:
        """Try to get an instance; it leaves if it gets one, or fails."""


class RetryPauses:
    """The pauses of one worker; `on_error` gets the client of an exchange that failed."""

    __slots__ = ("_due", "_loop", "_not_before", "_on_error", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[object, Exception], object]) -> None:
        self._loop = loop
        self._on_error = on_error
        self._due: dict[PausedExchange, float] = {}  # all pauses are equally long, so this is the order of their ends
        self._not_before = 0.0
        self._timer = WhenDue(loop, self._next, self._turn)

    def __len__(self) -> int:
        return len(self._due)

    def join(self, waiter: PausedExchange) -> None:
        """Let this one try again in a moment, and so on."""
        self._due[waiter] = self._loop.time() + PAUSE
        self._timer.expect()

    def leave(self, waiter: object) -> bool:
        """It waits no more; False if it did not."""
        return self._due.pop(waiter, None) is not None  # type: ignore[call-overload]  # whatever it is

    def _next(self) -> float | None:
        first = next(iter(self._due.values()), None)
        return None if first is None else max(first, self._not_before)

    def _turn(self) -> None:
        now = self._loop.time() + 0.001  # the loop counts in milliseconds
        self._not_before = now + PAUSE / 2
        attempts = 0
        for waiter in [waiter for waiter, due in self._due.items() if due <= now]:
            if not self.leave(waiter):
                continue  # what happened to another has ended it
            self._due[waiter] = now + PAUSE
            try:
                waiter.forward()
            except Exception as error:  # noqa: BLE001 - the others have their turn whatever happens to one
                self._on_error(waiter.client, error)
            attempts += 1
            if attempts == _AT_ONCE:
                return  # a thousand that wait are not a thousand attempts ten times a second
