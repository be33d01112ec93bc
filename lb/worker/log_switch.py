"""The access log that a worker writes now, and the change to another one: no line is lost, and none waits for a disk.

`AccessLog` is one sink; this is which one, and in which form.
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

_PATIENCE = 2.0  # seconds that the last lines get to be written


class Logbook:
    """Begins with these settings; OSError if the log cannot be opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = open_log(settings)
        self._closing: list[Thread] = []

    def change(self, settings: Settings, log: AccessLog, lost: Callable[[int], None]) -> None:
        """Go on with `log`, which was opened for `settings`. What the one before still holds is written meanwhile;
        `lost` is told, on the running loop, how many of its lines could not be.
        """
        loop = asyncio.get_running_loop()
        before, self.settings, self.log = self.log, settings, log
        dropped = before.dropped

        def close() -> None:
            before.close(_PATIENCE)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(lost, before.dropped - dropped)

        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = Thread(target=close, name="closing log", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there is none to be had: what its own thread does not write now is lost
            before.close(0.0)
            lost(before.dropped - dropped)
        else:
            self._closing.append(thread)

    def reopen(self) -> None:
        """Go on in a new file of the same name."""
        self.log.reopen()

    def close(self) -> None:
        """Write what is left."""
        until = monotonic() + _PATIENCE
        self.log.close(_PATIENCE)
        for thread in self._closing:
            thread.join(max(0.0, until - monotonic()))


def line_of(settings: Settings) -> LineFormat | None:
    """How a line is made, None where none is."""
    return LINE_FORMATS[settings.format]


def open_log(settings: Settings) -> AccessLog:
    """Raises OSError if it cannot be opened."""
    return AccessLog(settings.path, settings.format)
