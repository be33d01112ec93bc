"""Messages about a log that cannot be written: a line at the first failure, and one when it can be written again.

It knows reasons, numbers of lines and a clock; it does not know what is written, and why that fails.
"""

from __future__ import annotations

import logging
from time import monotonic

log = logging.getLogger("lb.access_log")

_MEANS = "Lines that do not fit are dropped, and counted in lb_log_lines_dropped_total"
_PAUSE = 60.0  # seconds from one reported failure to the next


class SinkTrouble:
    """Call `look` periodically: at each flush."""

    __slots__ = ("_name", "_reported", "_said_at", "_since")

    def __init__(self, path: str) -> None:
        self._name = "on stdout" if path == "-" else path
        self._reported = False  # whether the failure was reported
        self._said_at = -_PAUSE
        self._since = 0  # lines lost before this failure

    def look(self, reason: str, dropped: int, now: float | None = None) -> None:
        """`reason` is why it cannot be written at present, "" if it can; `dropped` lines were lost in all."""
        if not reason and not self._reported:
            self._since = dropped
            return
        now = monotonic() if now is None else now
        if reason and now >= self._said_at + _PAUSE:
            lost = f"; {dropped - self._since} lines were lost so far" if self._reported else ""
            log.error("the access log %s cannot be written: %s%s. %s", self._name, reason, lost, _MEANS)
            self._reported, self._said_at = True, now
        elif not reason:
            log.warning("the access log %s is written again; %d lines were lost", self._name, dropped - self._since)
            self._reported, self._since = False, dropped
