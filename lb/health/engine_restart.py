"""Starts the engine again after it has died under a front door that is no service manager's.

An engine that takes its leave was stopped on purpose, and stays so. This file decides when, and runs `lb engine start`;
it must not know what the engine is.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from lb.telemetry.paced_lines import PacedLines

FIRST, LONGEST = 1.0, 60.0  # seconds between the end of an engine and the next start
_STEADY = 60.0  # seconds after which an engine's end is another trouble
_PATIENCE = 120.0  # seconds for `lb engine start`

Start = Callable[[Path], None]


class EngineRestart:
    """`start` is called where another engine is due. Times are seconds of the monotonic clock."""

    def __init__(self, file: Path, lines: PacedLines, start: Start, environ: Mapping[str, str] = os.environ) -> None:
        self._file = file
        self._lines = lines
        self._start = start
        self._is_managed = "NOTIFY_SOCKET" in environ
        self._pause = FIRST
        self._connected_at: float | None = None
        self._due: float | None = None
        self.is_wanted = True

    def connected(self, now: float) -> None:
        self._connected_at = now
        self._due = None

    def leaves(self) -> None:
        """The engine ends on purpose."""
        self._connected_at = None

    def lost(self, now: float) -> None:
        """There is no engine; to be called again and again while that is so."""
        if self._connected_at is not None and self.is_wanted and not self._is_managed:
            if now - self._connected_at >= _STEADY:
                self._pause = FIRST
            self._due = now + self._pause
        self._connected_at = None
        if self._due is None or now < self._due:
            return
        self._pause = min(2 * self._pause, LONGEST)
        self._due = now + self._pause  # where this start fails, too
        self._lines.write(logging.WARNING, "the engine died, and is started again")
        self._start(self._file)


def start_engine(file: Path) -> None:
    """`lb engine start`, which returns when the engine can be asked; what it says goes to stderr."""
    command = [sys.executable, "-P", "-m", "lb", "engine", "start", str(file.absolute())]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False, timeout=_PATIENCE)  # noqa: S603
