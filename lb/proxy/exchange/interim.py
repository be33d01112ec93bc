"""1xx responses before the final one: how many may come, and when we say 100 in an instance's place.

A slow app sends 102 now and then, an upload service 104: their number has no limit, their rate has one, so that an
instance cannot keep a worker busy with them. An app server that does not support `Expect: 100-continue` waits for a
body whose client waits for it: after a second the client is told to go on.

Time is passed in, in seconds. This file knows neither connections nor timers.
"""

from __future__ import annotations

from lb.errors import ProxyError

CONTINUE = b"HTTP/1.1 100 Continue\r\n"

CONTINUE_AFTER = 1.0
"""Seconds that an instance has to decide about an expectation."""

_INTERVAL = 0.01  # seconds between two in the long run
_SLACK = 2.0  # and two hundred at once


class Interims:
    """The interim responses of one exchange."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due = 0.0

    def count(self, now: float) -> None:
        """Count one that has arrived. Raises ProxyError if they come too fast."""
        due = max(self._due, now) + _INTERVAL
        if due - now > _SLACK:
            raise ProxyError("http_protocol_error", "too many interim responses in too short a time")
        self._due = due
