"""Counts and tells of TLS connections that were closed because they sent records without data and little else.

Nobody sends so many by accident, so the log names the client; it does so once a minute, however many connections there
are. It knows addresses and counts, not what a record is.
"""

from __future__ import annotations

import logging

log = logging.getLogger("lb.proxy")

_SILENCE = 60.0  # seconds between two lines


class RecordFloods:
    """Those of one worker; `total` counts the connections."""

    __slots__ = ("_silent_until", "_untold", "total")

    def __init__(self) -> None:
        self.total = 0
        self._untold = 0
        self._silent_until = 0.0

    def closed(self, address: bytes, now: float) -> None:
        """A connection from this address is closed for it."""
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
