"""When each instance is checked: a heap of times, and a bound on concurrent checks.

One task watches the heap and starts a task for each running check, so ten thousand waiting instances cost only memory.
It knows nothing about checks except that they take a while and return when the next one is due.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import random
from contextlib import suppress
from typing import Protocol

log = logging.getLogger("lb.control")

_FAILED = 1.0  # seconds until a failed run is repeated
_JITTER = 0.1  # fraction by which a pause varies, so that checks spread out


class Repeated(Protocol):
    """A repeated job."""

    async def run(self) -> float:
        """Runs once. Returns the seconds until the next run."""


def jittered(pause: float) -> float:
    """The pause, varied a little."""
    return pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  not a secret


def tell_failure(task: asyncio.Task[None]) -> None:
    """A callback for the end of a task that is not awaited, so that its failure is logged."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a background task failed", exc_info=error)


class Schedule:
    """Runs what was added, at most `most` at once, until it is closed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._due: list[tuple[float, int, Repeated]] = []
        self._members: set[Repeated] = set()
        self._running: dict[asyncio.Task[None], Repeated] = {}
        self._count = itertools.count()  # of jobs due together, the one added first runs first
        self._changed = asyncio.Event()
        self._clock = asyncio.get_running_loop().time
        self._looking = asyncio.ensure_future(self._look())
        self._looking.add_done_callback(tell_failure)

    def add(self, one: Repeated, delay: float) -> None:
        """Its first run is after `delay` seconds."""
        self._members.add(one)
        self._put(one, delay)

    def remove(self, one: Repeated) -> None:
        """It does not run again; a current run is cancelled."""
        self._members.discard(one)
        for task, running in self._running.items():
            if running is one:
                task.cancel()

    async def close(self) -> None:
        tasks = (self._looking, *self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, one: Repeated, delay: float) -> None:
        heapq.heappush(self._due, (self._clock() + delay, next(self._count), one))
        self._changed.set()

    async def _look(self) -> None:
        while True:
            self._changed.clear()
            now = self._clock()
            while self._due and self._due[0][0] <= now and len(self._running) < self._most:
                _, _, one = heapq.heappop(self._due)
                if one in self._members:
                    task = asyncio.ensure_future(self._do(one))
                    self._running[task] = one
                    task.add_done_callback(self._done)
            is_full = len(self._running) >= self._most
            pause = self._due[0][0] - now if self._due and not is_full else None
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    async def _do(self, one: Repeated) -> None:
        pause = _FAILED
        try:
            pause = await one.run()
        finally:  # a failure is logged, and the job runs again
            if one in self._members:
                self._put(one, jittered(pause))

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._changed.set()
        tell_failure(task)
