"""Who waits for an instance: the exchanges of one worker that found all of theirs busy.

They stand in their environments, first come first. Here they are counted, and let try again in that order: when
something may have become free, and now and then, since instances come, go and recover without a word. It knows
environments, and of exchanges only that they can try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from lb.routing.environment import Environment


class WaitingExchange(Protocol):
    """An exchange that waits."""

    @property
    def client(self) -> object: ...

    def forward(self) -> None:
        """Try to get an instance; it leaves the queue if it gets one, or fails."""

    def is_choosy(self) -> bool:
        """Whether an instance that would do for others may not do for it."""


class WaitingQueue:
    """The queues of one worker. `count` is how many wait; `on_error` is told of one that failed, by its client."""

    __slots__ = ("_crowded", "_loop", "_on_error", "count")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[object, Exception], object]) -> None:
        self._loop = loop
        self._on_error = on_error
        self._crowded: set[Environment] = set()
        self.count = 0

    def join(self, environment: Environment, waiter: WaitingExchange) -> None:
        """Let this one wait, behind those that do."""
        self.count += 1
        environment.waiting.append(waiter)
        self._crowded.add(environment)

    def leave(self, environment: Environment, waiter: object) -> None:
        """It waits no more."""
        self.count -= 1
        environment.waiting.remove(waiter)

    def rouse(self, environment: Environment) -> None:
        """There may be more room for those who wait, or never any again: let them try, but in nobody's handler."""
        if environment.may_wake():
            self._loop.call_soon(self._serve, environment)

    def serve_all(self) -> None:
        """What is free may have changed without a word."""
        for environment in list(self._crowded):
            if environment.waiting:
                self._serve(environment)
            else:
                self._crowded.discard(environment)

    def _serve(self, environment: Environment) -> None:
        """Let those who wait try again, first come first, until one finds that nothing is free."""
        environment.woke()
        waiting = environment.waiting
        at = 0
        while at < len(waiting):
            waiter = waiting[at]
            try:
                waiter.forward()
            except Exception as error:  # noqa: BLE001 - a fault of one exchange must not cost the others theirs
                self._on_error(waiter.client, error)
                return
            if at < len(waiting) and waiting[at] is waiter:
                if not waiter.is_choosy():
                    return
                at += 1  # what is free is not for it, but perhaps for the next
