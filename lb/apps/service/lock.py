"""One deploy of an app at a time, and the newest wins: a lock that the kernel frees with its holder, and a queue.

The lock is a flock on a file that stays, so a killed engine leaves none behind. Of those that wait for the same
environment only the newest stays: what it would replace at once need not be built. This file knows no deploy.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from lb.apps.service.clock import EngineClock
from lb.apps.service.parts import DeployCancelledError

_STEP = 0.2  # seconds between two tries of a lock that another engine holds


class SupersededError(Exception):
    """A newer one has come while this one waited."""


class AppQueue:
    """Who may build for one app."""

    def __init__(self, path: Path, clock: EngineClock) -> None:
        self._path = path
        self._clock = clock
        self._turn = asyncio.Lock()
        self._waiting: dict[str, asyncio.Event] = {}
        self.holder = ""  # what is said to those who wait

    @asynccontextmanager
    async def turn(
        self, environment: str, name: str, cancelled: asyncio.Event, wait: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """The lock is held within; `wait` is told who holds it. Raises SupersededError and DeployCancelledError."""
        superseded = asyncio.Event()
        if (older := self._waiting.get(environment)) is not None:
            older.set()
        self._waiting[environment] = superseded
        try:
            if self._turn.locked():
                wait(self.holder)
            await self._come_first(superseded, cancelled)
        finally:
            if self._waiting.get(environment) is superseded:
                del self._waiting[environment]
        try:
            self.holder = name
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                await self._take(descriptor, cancelled)
                yield
            finally:
                os.close(descriptor)
        finally:
            self.holder = ""
            self._turn.release()

    async def _come_first(self, superseded: asyncio.Event, cancelled: asyncio.Event) -> None:
        turn = asyncio.ensure_future(self._turn.acquire())
        others = [asyncio.ensure_future(event.wait()) for event in (superseded, cancelled)]
        await asyncio.wait((turn, *others), return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        if not superseded.is_set() and not cancelled.is_set():
            return
        if turn.done():
            self._turn.release()
        turn.cancel()
        raise SupersededError if superseded.is_set() else DeployCancelledError

    async def _take(self, descriptor: int, cancelled: asyncio.Event) -> None:
        """An engine that is about to end may still hold it."""
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if cancelled.is_set():
                    raise DeployCancelledError from None
                await self._clock.sleep(_STEP)
            else:
                return
