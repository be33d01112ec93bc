"""Children that live but have lost their line to the supervisor: they cannot be controlled, so they count as ended.

A line also ends when its child does, so there is a moment's grace in which the child may be reaped as usual. After that
another child takes its place, and the stray continues alone: a worker without a line drains. One that has not ended in
time gets SIGTERM, then SIGKILL. This file knows processes and a clock; the supervisor fills the places.
"""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lb.process.wording import death_in_words

if TYPE_CHECKING:
    from lb.process.child import Child

log = logging.getLogger("lb.control")

GRACE = 0.25
"""Seconds between the end of a child's line and its replacement, if it has not ended by then."""

DRAIN = 30.0
"""Seconds that it has to finish."""
_LAST_WORDS = 2.0  # seconds from SIGTERM to SIGKILL


@dataclass(slots=True)
class _Stray:
    title: str
    pid: int
    due: float
    terminated: bool = False


class Strays:
    """The children that live without a line, and have lost their places."""

    def __init__(self, drain: float = DRAIN) -> None:
        self._drain = drain
        self._strays: list[_Stray] = []

    def __bool__(self) -> bool:
        return bool(self._strays)

    @property
    def pids(self) -> set[int]:
        return {one.pid for one in self._strays}

    @property
    def due(self) -> float | None:
        """When `expire` has something to do, in seconds of the monotonic clock."""
        return min((one.due for one in self._strays), default=None)

    def take(self, child: Child, now: float) -> None:
        """The process no longer belongs to this place; the caller vacates the place."""
        timeout = 0.0 if child.role.is_assistant else self._drain  # an assistant has nothing to finish
        self._strays.append(_Stray(child.role.title, child.pid, now + timeout))

    def send_signal(self, number: int) -> None:
        """Sends it to all of them."""
        for one in self._strays:
            os.kill(one.pid, number)  # not reaped yet, so the pid is still its own

    def reap(self) -> None:
        """Reaps those that have ended."""
        for one in list(self._strays):
            pid, status = os.waitpid(one.pid, os.WNOHANG)
            if pid:
                self._strays.remove(one)
                how = os.waitstatus_to_exitcode(status)
                said = death_in_words(how) if how else "finished its requests and ended"
                log.info("%s (pid %d), which had lost its line, %s", one.title, one.pid, said)

    def expire(self, now: float) -> None:
        """Ends those that take too long."""
        for one in self._strays:
            if one.due > now:
                continue
            one.due = now + _LAST_WORDS
            os.kill(one.pid, signal.SIGKILL if one.terminated else signal.SIGTERM)
            one.terminated = True
