"""Repeated jobs on an event loop, and jobs that are tried until they succeed: the only place where a timer re-arms
itself.

A function that schedules its own next call at its end is never called again after one exception, and this goes
unnoticed. Here the next call does not depend on how this one ended. It knows a loop and functions, not what they do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

log = logging.getLogger("lb.worker")

_SAID_AGAIN = 60.0  # seconds until the same failure is logged again
_MOST_SAID = 16  # different failures that are told apart


class RepeatedFailures:
    """Logs failures, and the same one only once a minute."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[str, float] = {}  # when each failure was last logged

    def tell(self, name: str, error: BaseException) -> None:
        """`name` failed with this error, and is tried again."""
        what = f"{name}: {type(error).__name__}: {error}"
        now = monotonic()
        if now - self._said.get(what, -_SAID_AGAIN) < _SAID_AGAIN:
            return
        if len(self._said) >= _MOST_SAID:
            self._said.clear()
        self._said[what] = now
        if isinstance(error, OSError):
            log.error("%s failed and will be tried again: %s", name, error)
        else:
            log.error("%s failed and will be tried again", name, exc_info=error)


class Every:
    """Jobs that are repeated until `cancel`; with `once`, only until they succeed."""

    __slots__ = ("_failures", "_handle", "_jobs", "_loop", "_once", "_seconds", "_share")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, jobs: tuple[Callable[[], object], ...], share: float
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._jobs = jobs
        self._share = share
        self._once = False
        self._failures = RepeatedFailures()
        self._handle: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """Stop repeating."""
        self._jobs = ()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def begin(self, *, once: bool = False) -> None:
        """Run them now, for the first time."""
        self._once = once
        self._run()

    def _run(self) -> None:
        began = monotonic()
        self._handle = None
        try:
            self._arm(self._seconds)  # first: whatever happens below, there is a next run
            if self._do() and self._once:
                self.cancel()
        finally:
            pause = max(self._seconds, self._share * (monotonic() - began))
            if self._jobs and (self._handle is None or pause > self._seconds):
                self._arm(pause)

    def _arm(self, pause: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_later(pause, self._run)

    def _do(self) -> bool:
        """Whether all succeeded."""
        went_well = True
        for job in self._jobs:
            try:
                job()
            except Exception as error:  # noqa: BLE001  the next job, and the next run, follow nevertheless
                went_well = False
                self._failures.tell(getattr(job, "__qualname__", repr(job)), error)
        return went_well


def every(loop: asyncio.AbstractEventLoop, seconds: float, *jobs: Callable[[], object], share: float = 0.0) -> Every:
    """Run `jobs` now and then every `seconds`, or after `share` times what they took, if that is longer. An exception
    is logged, and stops neither the other jobs nor the next run.
    """
    repeated = Every(loop, seconds, jobs, share)
    repeated.begin()
    return repeated


def until_done(loop: asyncio.AbstractEventLoop, seconds: float, job: Callable[[], object]) -> Every:
    """Run `job` now; if it raises, log that and run it again after `seconds`, until it succeeds."""
    repeated = Every(loop, seconds, (job,), 0.0)
    repeated.begin(once=True)
    return repeated


class WhenDue:
    """Runs `job` at the loop time that `due` returns, while it returns one; call `expect` when it has changed."""

    __slots__ = ("_due", "_failures", "_handle", "_job", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, due: Callable[[], float | None], job: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._due = due
        self._job = job
        self._failures = RepeatedFailures()
        self._handle: asyncio.TimerHandle | None = None

    def expect(self) -> None:
        """`due` may return an earlier time now."""
        if self._handle is None:
            due = self._due()
            if due is not None:
                self._handle = self._loop.call_at(due, self._run)

    def _run(self) -> None:
        self._handle = None
        try:
            self._job()
        except Exception as error:  # noqa: BLE001  later runs are not affected
            self._failures.tell(getattr(self._job, "__qualname__", repr(self._job)), error)
        finally:
            self.expect()
