"""The watchdog: regularly pings every child's event loop, and ends a child that does not answer.

A child that hangs keeps its place and its share of the connections, and nothing else would notice: it has not ended.
Unanswered pings count, not hours: while the machine sleeps, or everything is frozen, no pings are sent. The ping waits
in the child's channel, so no child needs a timer for it, and one that was stopped for long finds one ping, not
hundreds.

This file knows children, messages and a clock. The supervisor replaces a child that was ended.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable

from lb.process.child import Child
from lb.process.verbs import Verb

log = logging.getLogger("lb.control")

TIMEOUT = 30.0
"""Seconds without an answer after which a worker counts as hanging."""

_QUESTIONS = 6  # pings within that time
_OFTEN = 10  # times as long for an assistant, which no client waits for: it reads ten thousand certificates in one go
_LAST_WORDS = 2.0  # seconds from SIGABRT, on which a child writes its stack, to SIGKILL


class Watchdog:
    """`timeout` in seconds; times are those of the monotonic clock."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self._timeout = timeout
        self._next = 0.0
        self._kill: dict[int, float] = {}  # when to kill a child after SIGABRT, by pid

    @property
    def due(self) -> float:
        """When to check next."""
        return min(self._next, *self._kill.values()) if self._kill else self._next

    def look(self, children: Iterable[Child], now: float, *, busy: bool) -> None:
        """Pings again, and ends children that have not answered for too long. `busy` children may be late."""
        living = {child.pid: child for child in children if child.pid}
        self._kill = {pid: at for pid, at in self._kill.items() if pid in living}
        for pid in [pid for pid, at in self._kill.items() if at <= now]:
            del self._kill[pid]
            living[pid].send_signal(signal.SIGKILL)
        if now < self._next:
            return
        self._next = now + self._timeout / _QUESTIONS
        for child in living.values():
            self._ask(child, now, busy=busy)

    def _ask(self, child: Child, now: float, *, busy: bool) -> None:
        if not child.asked:
            child.say(Verb.PING)
        elif busy:
            return
        child.asked += 1
        often = _OFTEN if child.role.is_assistant else 1
        if child.asked <= _QUESTIONS * often or child.pid in self._kill:
            return
        log.error(
            "%s (pid %d) hangs: it has not answered for %.3g s. It gets SIGABRT, on which it writes its stack, and "
            "SIGKILL if that does not end it",
            child.role.title,
            child.pid,
            self._timeout * often,
        )
        child.asked = 1  # again if even that does not end it
        child.send_signal(signal.SIGABRT)
        self._kill[child.pid] = now + _LAST_WORDS
