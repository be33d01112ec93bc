"""Counts and logs TLS connections that were closed because they sent little but records without data.

So many are never an accident, so the log names the client, once a minute, however many connections there are. It knows
addresses and counts, not what a record is.
"""

from __future__ import annotations

import logging

log = logging.getLogger("lb.proxy")

_SILENCE = 60.0  # seconds between two lines


class RecordFloods:
    """The floods of one worker; `total` counts the connections."""

    __slots__ = ("_silent_until", "_untold", "total")

    def __init__(self) -> None:
        self.total = 0
        self._untold = 0
        self._silent_until = 0.0

    def closed(self, address: bytes, now: float) -> None:
        """A connection from this address is closed because of a flood."""
        self.total += 1
        self._untold += 1
        if now < self._silent_until:
            return
        log.warning(
            "a TLS connection from %s was closed: too many records without data, such as key updates "
            "(connections closed for this since the last line: %d); no action is needed",
            address.decode("latin-1"),
            self._untold,
        )
        self._silent_until = now + _SILENCE
        self._untold = 0
