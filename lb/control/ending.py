"""How workers end: how long they may take, what they still wait for, and what is logged meanwhile.

A stop (`timeouts.drain`) applies to all of them; a worker retired by a reload, and those of an upgrade's predecessor,
have `timeouts.retire`, which may be unlimited. Shortly before the time is over they are told to close what is open. A
worker that is left after that, because it hangs or is stopped, is killed, so that the bound holds. This file knows
workers by their process ids, messages and a clock; the supervisor sees to it that their places stay empty.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from lb.admin.views import Status
from lb.process import remaining
from lb.process.child import Child
from lb.process.remaining import Share
from lb.process.verbs import Verb
from lb.process.wording import duration
from lb.worker.main import ENDING

log = logging.getLogger("lb.control")

LAST_WORDS = 0.25
"""Seconds that a process has at least between the message to stop and SIGKILL."""

_OFTEN = 10.0  # seconds between two lines about a drain
_RARELY = 3600.0  # and about retiring workers, which may take days


class EndingTimes(NamedTuple):
    """Seconds that a drain and a retiring worker may take; None: unlimited."""

    drain: float = 30.0
    retire: float | None = None


@dataclass(slots=True)
class _Leaving:
    """`told`: it was told to close what is open; `killed`: it did not react."""

    since: float
    notified: bool = False
    killed: bool = False
    open: list[Share] = field(default_factory=list)


class Ending:
    """`limits` are those of the configuration in effect. Times are seconds of the monotonic clock."""

    def __init__(self, limits: Callable[[], EndingTimes] = EndingTimes) -> None:
        self._limits = limits
        self._leaving: dict[int, _Leaving] = {}
        self._drains_since: float | None = None
        self._is_over = False
        self._next_line = 0.0

    @property
    def drain_limit(self) -> float:
        return self._limits().drain

    # Reported by the supervisor

    def drain(self, workers: Iterable[Child], now: float) -> None:
        """All workers have been told to drain."""
        self._drains_since = now
        self._next_line = now + _OFTEN
        for child in workers:
            self._leaving[child.pid] = _Leaving(now, open=self.open_in(child.pid))

    def retire(self, child: Child, now: float) -> None:
        """A worker has been told to retire."""
        if not self._leaving:
            self._next_line = now + _RARELY
        self._leaving[child.pid] = _Leaving(now)

    def heard(self, child: Child, text: str) -> None:
        """A worker reports what is open."""
        if child.pid in self._leaving:
            self._leaving[child.pid].open = remaining.load(text)

    def gone(self, pid: int) -> None:
        """A worker has ended."""
        self._leaving.pop(pid, None)

    # Time

    @property
    def due(self) -> float | None:
        """When `look` has something to do."""
        dates = [self._acts_at(one) for one in self._leaving.values()]
        if self._leaving:
            dates.append(self._next_line)
        if self._drains_since is not None and not self._is_over:
            dates.append(self._stops_at(self._drains_since))
        return min((at for at in dates if at is not None), default=None)

    def look(self, children: Iterable[Child], now: float) -> bool:
        """Logs and closes what is due. True, once, when a drain is over: the workers left must be told to stop."""
        for child in children:
            one = self._leaving.get(child.pid)
            while one is not None and (at := self._acts_at(one)) is not None and at <= now:
                self._act(child, one)
        if self._leaving and self._next_line <= now:
            self._next_line = now + (_RARELY if self._drains_since is None else _OFTEN)
            self._say(now)
        if self._drains_since is None or self._is_over or now < self._stops_at(self._drains_since):
            return False
        self._is_over = True
        return True

    def kill_at(self, now: float, grace: float) -> float:
        """When to kill a process told to stop now: after `grace` seconds, or at the end of a drain if sooner."""
        if self._drains_since is None:
            return now + grace
        return max(min(now + grace, self._drains_since + self.drain_limit), now + LAST_WORDS)

    def _stops_at(self, since: float) -> float:
        """When the workers left in a drain are told to stop: early enough to end in time."""
        return since + self.drain_limit - _margin(self.drain_limit) / 3

    def _acts_at(self, one: _Leaving) -> float | None:
        """When this worker is told to close what is open: early enough to close it in time. After that: when it is
        killed. In a drain the supervisor does that, for all processes at once.
        """
        limit = self._limits().retire if self._drains_since is None else self.drain_limit
        if limit is None or one.killed or (one.notified and self._drains_since is not None):
            return None
        closes = one.since + limit - _margin(limit)
        return closes + ENDING + LAST_WORDS if one.notified else closes

    def _act(self, child: Child, one: _Leaving) -> None:
        if not one.notified:
            one.notified = True
            self._close(child, one)
            return
        one.killed = True
        log.warning("%s (pid %d) has not ended within timeouts.retire: killing it", child.role.title, child.pid)
        child.send_signal(signal.SIGKILL)

    def _close(self, child: Child, one: _Leaving) -> None:
        key = "retire" if self._drains_since is None else "drain"
        if what := remaining.in_words(one.open):
            log.warning("%s (pid %d): timeouts.%s is over: closing %s", child.role.title, child.pid, key, what)
        child.say(Verb.FINISH)

    def _say(self, now: float) -> None:
        what = self.in_words() or "workers to end"
        if self._drains_since is None:
            log.info("%d retired workers still serve %s", len(self._leaving), what)
        else:
            left = duration(max(0.0, self._drains_since + self.drain_limit - now))
            log.info("draining: waiting for %s; %s left (timeouts.drain)", what, left)

    # Queries

    def open_in(self, pid: int) -> list[Share]:
        """What was open in this worker when it reported last."""
        one = self._leaving.get(pid)
        return [] if one is None else one.open

    def in_words(self) -> str:
        """What all of them wait for; "" if it is nothing, or not known yet."""
        return remaining.in_words(remaining.total(share for one in self._leaving.values() for share in one.open))

    def seconds_left(self, now: float) -> float | None:
        """The time that a drain has left; None without one."""
        return None if self._drains_since is None else max(0.0, self._drains_since + self.drain_limit - now)


def _margin(limit: float) -> float:
    """How many seconds before the end of this limit open connections are closed."""
    return min(ENDING, limit / 4)


def add_ending(status: Status, ending: Ending, now: float) -> Status:
    """Adds what only the supervisor knows: how long a drain may still take, and what is open in ending workers."""
    workers = [{**worker, "open": _shares(ending.open_in(worker["pid"]))} for worker in status["workers"]]
    left = ending.seconds_left(now)
    drain = {} if left is None else {"drain_seconds_left": round(left, 1)}
    return {**status, **drain, "workers": workers}


def _shares(shares: Iterable[Share]) -> list[Status]:
    return [share._asdict() for share in shares]
