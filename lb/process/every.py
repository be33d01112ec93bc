"""What a loop does again and again, and what it tries until it succeeds: the only place where a timer arms itself.

A function that asks for its own next call at its end is never called again after one exception, and nobody notices.
Here the next call does not depend on how this one ended. It knows a loop and functions, and nothing of what they do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

log = logging.getLogger("lb.worker")

_SAID_AGAIN = 60.0  # seconds until the same failure is said once more
_MOST_SAID = 16  # different failures that are told apart


class RepeatedFailures:
    """Says what failed, and the same again once a minute only."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[str, float] = {}  # when each failure was said last

    def tell(self, name: str, error: BaseException) -> None:
        """`name` failed like this, and is tried again."""
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
    """Jobs that are done again and again until `cancel`; with `once` only until they succeed."""

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
        """No more."""
        self._jobs = ()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def begin(self, *, once: bool = False) -> None:
        """Do them now, for the first time."""
        self._once = once
        self._run()

    def _run(self) -> None:
        began = monotonic()
        self._handle = None
        try:
            self._arm(self._seconds)  # first: whatever happens below, there is a next time
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
        """Whether all went well."""
        went_well = True
        for job in self._jobs:
            try:
                job()
            except Exception as error:  # noqa: BLE001  the next job, and the next time, come all the same
                went_well = False
                self._failures.tell(getattr(job, "__qualname__", repr(job)), error)
        return went_well


def every(loop: asyncio.AbstractEventLoop, seconds: float, *jobs: Callable[[], object], share: float = 0.0) -> Every:
    """Do `jobs` now and then every `seconds`, or after `share` times what they took, if that is longer. What one raises
    is said, and keeps neither the others nor the next time from coming.
    """
    repeated = Every(loop, seconds, jobs, share)
    repeated.begin()
    return repeated


def until_done(loop: asyncio.AbstractEventLoop, seconds: float, job: Callable[[], object]) -> Every:
    """Do `job` now; if it raises, say so and do it again after `seconds`, until it does not."""
    repeated = Every(loop, seconds, (job,), 0.0)
    repeated.begin(once=True)
    return repeated


class WhenDue:
    """Does `job` at the time of the loop that `due` names, for as long as it names one; `expect` says that it does."""

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
        """Something is due; what is due before it is waited for already."""
        if self._handle is None:
            due = self._due()
            if due is not None:
                self._handle = self._loop.call_at(due, self._run)

    def _run(self) -> None:
        self._handle = None
        try:
            self._job()
        except Exception as error:  # noqa: BLE001  what else is due has its turn all the same
            self._failures.tell(getattr(self._job, "__qualname__", repr(self._job)), error)
        finally:
            self.expect()
