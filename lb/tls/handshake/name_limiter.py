"""Limits the work that names from the internet may cause: each name seldom, all of them at a limited rate.

Pure and bounded: time is passed in, and names are forgotten when their time is over. It does not know the purpose of a
name.
"""

from __future__ import annotations


class NameLimiter:
    """Admits a name once in `pause` seconds, `rate` names per second, `burst` at once; knows at most `most` names."""

    __slots__ = ("_burst", "_left", "_most", "_pause", "_rate", "_seen", "_until")

    def __init__(self, *, pause: float, rate: float, burst: float, most: int) -> None:
        self._pause, self._rate, self._burst, self._most = pause, rate, burst, most
        self._left, self._seen = burst, 0.0
        self._until: dict[str, float] = {}

    def admits(self, name: str, now: float) -> bool:
        """`now` in seconds of the monotonic clock."""
        until = self._until.get(name)
        if until is not None and until > now:
            return False
        self._left = min(self._burst, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return False
        if len(self._until) >= self._most:
            self._until = {one: end for one, end in self._until.items() if end > now}
            if len(self._until) >= self._most:
                return False
        self._left -= 1
        self._until[name] = now + self._pause
        return True
