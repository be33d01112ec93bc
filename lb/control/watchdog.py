"""The watchdog: asks every child now and then whether its loop still turns, and ends one that does not answer.

A child that hangs keeps its place and its share of the connections, and nothing else would ever tell: it has not ended.
What counts are questions without an answer, not hours: while the machine sleeps, or everything on it is frozen, nobody
asks. The question waits in the child's channel, so no child needs a timer for this, and one that was stopped for long
finds one question, not hundreds.

This file knows children, words and a clock. Who takes the place of one that was ended is the supervisor's business.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterable

from lb.process.child import Child
from lb.process.verbs import Verb

log = logging.getLogger("lb.control")

PATIENCE = 30.0
"""Seconds without an answer after which a worker hangs."""

_QUESTIONS = 6  # within that time
_OFTEN = 10  # times as long for an assistant, which nobody waits for: it reads ten thousand certificates in one go
_LAST_WORDS = 2.0  # seconds from SIGABRT, on which a child writes where it is, to SIGKILL


class Watchdog:
    """`patience` in seconds; times are those of the monotonic clock."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._next = 0.0
        self._kill: dict[int, float] = {}  # when to kill a child that was told to abort, by its process id

    @property
    def due(self) -> float:
        """When to look next."""
        return min(self._next, *self._kill.values()) if self._kill else self._next

    def look(self, children: Iterable[Child], now: float, *, busy: bool) -> None:
        """Asks again, and ends whoever has not answered for too long. `busy` children may be late for a reason."""
        living = {child.pid: child for child in children if child.pid}
        self._kill = {pid: at for pid, at in self._kill.items() if pid in living}
        for pid in [pid for pid, at in self._kill.items() if at <= now]:
            del self._kill[pid]
            living[pid].send_signal(signal.SIGKILL)
        if now < self._next:
            return
        self._next = now + self._patience / _QUESTIONS
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
            "%s (pid %d) hangs: it has not answered for %.3g s. It is ended with SIGABRT, on which it writes where it "
            "was, or, if it cannot, with SIGKILL",
            child.role.title,
            child.pid,
            self._patience * often,
        )
        child.asked = 1  # once more if even that does not end it
        child.send_signal(signal.SIGABRT)
        self._kill[child.pid] = now + _LAST_WORDS
