"""The exchanges of one worker that wait for an instance, because all of theirs are busy.

They queue in their environments, first come, first served. Here they are counted, and retried in that order: when
something may have become free, and periodically, since instances come, go and recover without notice. It knows
environments, and of exchanges only that they can try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from lb.proxy.retry_pauses import RetryPauses
from lb.routing.environment import Environment


class WaitingExchange(Protocol):
    """An exchange that waits."""

    @property
    def client(self) -> object: ...

    def forward(self) -> None:
        """Try to get an instance; it leaves the queue if it gets one, or fails."""

    def is_choosy(self) -> bool:
        """Whether an instance that suits others may not suit it."""


class WaitingQueue:
    """The queues of one worker. `count` is how many wait, `pauses` are for those whose instances are not busy but
    gone; `on_error` gets the client of one that failed.
    """

    __slots__ = ("_environments", "_loop", "_on_error", "count", "pauses")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[object, Exception], object]) -> None:
        self._loop = loop
        self._on_error = on_error
        self._environments: set[Environment] = set()
        self.count = 0
        self.pauses = RetryPauses(loop, on_error)

    def join(self, environment: Environment, waiter: WaitingExchange) -> None:
        """Let this one wait, behind those already waiting."""
        self.count += 1
        environment.waiting.append(waiter)
        self._environments.add(environment)

    def pause(self, waiter: WaitingExchange) -> None:
        """Let this one wait, apart from the others: its instances refuse connections, or there are none."""
        self.count += 1
        self.pauses.join(waiter)

    def leave(self, environment: Environment, waiter: object) -> None:
        """It waits no more."""
        self.count -= 1
        if not self.pauses.leave(waiter):
            environment.waiting.remove(waiter)

    def rouse(self, environment: Environment) -> None:
        """Waiting exchanges may get room, or never will: let them try, but outside of the current handler."""
        if environment.may_wake():
            self._loop.call_soon(self._serve, environment)

    def serve_all(self) -> None:
        """Retry all queues: instances may have become free without notice."""
        for environment in list(self._environments):
            if environment.waiting:
                self._serve(environment)
            else:
                self._environments.discard(environment)

    def _serve(self, environment: Environment) -> None:
        """Let those that wait try again, in order, until one finds nothing free."""
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
                at += 1  # what is free does not suit it, but perhaps the next
