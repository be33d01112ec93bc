"""Log lines about instances: a line per change, and one line for all the others when very many change at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_MOST = 20  # lines a second
_SECOND = 1.0


class PacedLines:
    """Writes to `log`; `clock` in seconds."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._since = clock()
        self._written = self._left_out = 0

    def write(self, level: int, text: str) -> None:
        """Write one line, unless there were too many in this second: then count it."""
        self.end_second()
        if self._written >= _MOST:
            self._left_out += 1
            return
        self._written += 1
        self._log.log(level, "%s", text)

    def end_second(self) -> None:
        """When a second is over: log how many lines were left out, and start over. Call it periodically."""
        now = self._clock()
        if now - self._since < _SECOND:
            return
        if self._left_out:
            self._log.warning("%d more instances changed; /status of the admin server has them all", self._left_out)
        self._since, self._written, self._left_out = now, 0, 0
