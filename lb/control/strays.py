"""Children whose line to the supervisor has ended while they live: nobody can speak with them, so they count as ended.

A line also ends when its child does, so one has a moment's grace in which it may be reaped as usual. After that another
child takes its place, and what is left of it goes on by itself: a worker without a line drains. One that has not ended
in time is told to, then killed. This file knows processes and a clock; who fills a place is the supervisor's.
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
"""Seconds from the end of a child's line until its place is filled, if it has not ended by then."""

DRAIN = 30.0
"""Seconds that it gets to finish what it does."""
_LAST_WORDS = 2.0  # seconds from SIGTERM to SIGKILL


@dataclass(slots=True)
class _Stray:
    title: str
    pid: int
    due: float
    told: bool = False


class Strays:
    """Those that live without a line, their places taken from them."""

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
        """The process in this place belongs to it no more; the place itself is the caller's to vacate."""
        patience = 0.0 if child.role.is_assistant else self._drain  # an assistant has nothing to finish
        self._strays.append(_Stray(child.role.title, child.pid, now + patience))

    def send_signal(self, number: int) -> None:
        """To all of them."""
        for one in self._strays:
            os.kill(one.pid, number)  # not reaped yet, so the number is still its own

    def reap(self) -> None:
        """Some may have ended."""
        for one in list(self._strays):
            pid, status = os.waitpid(one.pid, os.WNOHANG)
            if pid:
                self._strays.remove(one)
                how = os.waitstatus_to_exitcode(status)
                said = death_in_words(how) if how else "has finished what had begun in it, and ended"
                log.info("%s (pid %d), which had lost its line, %s", one.title, one.pid, said)

    def expire(self, now: float) -> None:
        """Ends those that take too long."""
        for one in self._strays:
            if one.due > now:
                continue
            one.due = now + _LAST_WORDS
            os.kill(one.pid, signal.SIGKILL if one.told else signal.SIGTERM)
            one.told = True
