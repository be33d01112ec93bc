"""How many requests may be sent a second time (F2): a share of all, so that retries cannot overload what is left of an
app.

Counted over at least the last ten seconds; a small number is always allowed, so that an app with few requests has its
retries too (as in Envoy's retry budget and Finagle's). Going to another instance because one could not be reached is
not a retry here: nothing was sent, so it is no load, and its frequency is bounded by the pauses of that instance.
"""

from __future__ import annotations

_WINDOW = 10.0  # seconds counted, at least; the previous window counts in part
_FLOOR = 10  # retries per window that any app may have


class RetryBudget:
    """Requests and retries of this window and of the last. `share` is relative to requests: 0.2 allows one in five."""

    __slots__ = ("_last_requests", "_last_retries", "_requests", "_retries", "_until", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self._requests = self._retries = self._last_requests = self._last_retries = 0
        self._until = 0.0

    def request(self, now: float) -> None:
        """Count a request."""
        if now >= self._until:
            self._turn(now)
        self._requests += 1

    def allows(self, now: float) -> bool:
        """Whether one more may be sent again; if so, it is counted."""
        if now >= self._until:
            self._turn(now)
        rest = (self._until - now) / _WINDOW  # the part of the last window that still counts
        retries = self._retries + self._last_retries * rest
        requests = self._requests + self._last_requests * rest
        if retries >= max(_FLOOR, self.share * requests):
            return False
        self._retries += 1
        return True

    def _turn(self, now: float) -> None:
        if now < self._until + _WINDOW:
            self._last_requests = self._requests
            self._last_retries = self._retries
            self._until += _WINDOW
        else:
            self._last_requests = self._last_retries = 0
            self._until = now + _WINDOW
        self._requests = self._retries = 0
