"""The worker's current access log, and the switch to another: no line is lost, and nothing waits for a disk.

`AccessLog` is one sink; this file chooses the sink and its format.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from time import monotonic

from lb.config.model import AccessLogSettings as Settings
from lb.telemetry.access_log import AccessLog
from lb.telemetry.line_format import LINE_FORMATS, LineFormat

_TIMEOUT = 2.0  # seconds for writing the last lines


class LogSwitch:
    """Starts with these settings; raises OSError if the log cannot be opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = open_log(settings)
        self._closing: list[Thread] = []

    def change(self, settings: Settings, log: AccessLog, lost: Callable[[int], None]) -> None:
        """Continue with `log`, which was opened for `settings`. The previous log writes its remaining lines meanwhile;
        `lost` gets, on the running loop, the number of those that could not be written.
        """
        loop = asyncio.get_running_loop()
        before, self.settings, self.log = self.log, settings, log
        dropped = before.dropped

        def close() -> None:
            before.close(_TIMEOUT)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(lost, before.dropped - dropped)

        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = Thread(target=close, name="closing log", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread available: lines that its own thread does not write now are lost
            before.close(0.0)
            lost(before.dropped - dropped)
        else:
            self._closing.append(thread)

    def reopen(self) -> None:
        """Continue in a new file of the same name."""
        self.log.reopen()

    def close(self) -> None:
        """Write the remaining lines."""
        until = monotonic() + _TIMEOUT
        self.log.close(_TIMEOUT)
        for thread in self._closing:
            thread.join(max(0.0, until - monotonic()))


def line_of(settings: Settings) -> LineFormat | None:
    """The line format, None if the log is off."""
    return LINE_FORMATS[settings.format]


def open_log(settings: Settings) -> AccessLog:
    """Raises OSError if it cannot be opened."""
    return AccessLog(settings.path, settings.format)
