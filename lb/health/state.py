"""What the outcomes of an instance's checks mean: whether it serves, and when to check it next.

Pure: knows neither sockets nor tables, and time is passed in, in seconds of the monotonic clock.

An instance whose state is certain is checked every `interval`. One that starts, one that was just taken out (it is
probably restarting), and one whose last outcomes do not yet agree with its state are checked every second, or every
interval if that is shorter.

    EXPECTED, serves   ── a failed check ──▶ STARTING, does not serve ── start period over ──▶ UNHEALTHY
    any of the three   ── `passes` passed checks in a row ──▶ HEALTHY
    HEALTHY            ── `fails` failed checks in a row ──▶ UNHEALTHY
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.routing.health_table import EXPECTED, HEALTHY, STARTING, UNHEALTHY

QUICK = 1.0
"""Seconds between two checks of an instance whose state is not certain (A1)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How an environment's instances are judged; times in seconds."""

    interval: float
    passes: int
    fails: int
    start_period: float


class Verdict:
    """The state of one instance, from the outcomes of its checks."""

    __slots__ = ("_fails", "_passes", "_quick_until", "rules", "state")

    def __init__(self, rules: Rules, state: int, now: float) -> None:
        self.rules = rules
        self.state = state
        self._passes = self._fails = 0
        self._quick_until = now + rules.start_period

    def passed(self) -> bool:
        """A check has passed. Returns whether the state has changed."""
        self._fails = 0
        self._passes += 1
        if self.state == HEALTHY or self._passes < self.rules.passes:
            return False
        self.state = HEALTHY
        return True

    def failed(self, now: float) -> bool:
        """A check has failed. Returns whether the state has changed."""
        self._passes = 0
        self._fails += 1
        before = self.state
        if before == EXPECTED:
            self.state = STARTING
        elif before == STARTING and now >= self._quick_until:
            self.state = UNHEALTHY
        elif before == HEALTHY and self._fails >= self.rules.fails:
            self.state = UNHEALTHY
            self._quick_until = now + self.rules.start_period
        return self.state != before

    def next_in(self, now: float) -> float:
        """Seconds until the next check."""
        if self.state == HEALTHY:
            is_certain = self._fails == 0
        elif self.state == UNHEALTHY:
            is_certain = self._passes == 0 and now >= self._quick_until
        else:
            is_certain = False
        return self.rules.interval if is_certain else min(QUICK, self.rules.interval)
