"""How long an environment has run within the last 24 hours, kept over restarts of the engine (S1, forced sleep).

Times are the calendar's, since 24 hours are a person's: a clock that is set makes a span shorter or longer, and no
more. This file knows spans and their file. What follows from too much is the sleeper's business.
"""

from __future__ import annotations

import logging
from pathlib import Path

from lb.apps.service.directory import StateFileError, read_state, write_state

log = logging.getLogger("lb.engine")

DAY = 86400.0
_EACH = 60.0  # seconds between two writes while it runs
_LEAST = 60.0  # seconds of running that must be free before it may wake: else it would fall asleep at once


class RunningTime:
    """Of one environment. Spans are (begin, end) in seconds since the epoch, oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spans: list[tuple[float, float]] = []
        self._is_open = False
        self._written = 0.0
        try:
            state = read_state(path) or {}
            self._spans = [(float(begin), float(end)) for begin, end in state.get("spans", ())]
            self._is_open = bool(state.get("open")) and bool(self._spans)
        except (StateFileError, TypeError, ValueError) as error:
            log.warning("%s: it is begun anew: %s", path, error)

    def look(self, now: float, *, runs: bool) -> None:
        """To be called each second."""
        if runs and self._is_open:  # an engine that was away meanwhile took it over: it ran on
            begin, end = self._spans[-1]
            self._spans[-1] = begin, max(end, now)
        elif runs:
            self._spans.append((now, now))
        changed = runs != self._is_open
        self._is_open = runs
        self._spans = [(begin, end) for begin, end in self._spans if end > now - DAY and begin <= now]
        self._is_open = self._is_open and bool(self._spans)
        if changed or (runs and now - self._written >= _EACH):
            self._write(now)

    def _write(self, now: float) -> None:
        self._written = now
        try:
            write_state(self._path, {"version": 1, "open": self._is_open, "spans": [list(one) for one in self._spans]})
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror or error)

    def within_day(self, now: float) -> float:
        """Seconds."""
        return sum(max(0.0, end - max(begin, now - DAY)) for begin, end in self._spans)

    def allowed_at(self, now: float, limit: float) -> float:
        """When it may run again, if it does not run until then; `now` if it may."""
        surplus = self.within_day(now) - max(0.0, limit - _LEAST)
        if surplus <= 0:
            return now
        for begin, end in self._spans:
            first = max(begin, now - DAY)
            if surplus <= end - first:
                return first + surplus + DAY
            surplus -= max(0.0, end - first)
        return now + DAY
