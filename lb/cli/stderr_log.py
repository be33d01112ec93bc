"""What the program logs, on stderr for people to read."""

from __future__ import annotations

import logging
from datetime import datetime

from lb.telemetry.stderr import install_stderr


class _Lines(logging.Formatter):
    """`2026-11-20T23:24:00.123+00:00 warning message`, and the traceback below where there is one."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  logging's name
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return f"{self.formatTime(record)} {record.levelname.lower()} {record.message}"


def log_to_stderr() -> None:
    """From now on, until the process ends."""
    install_stderr()
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.getLogger().addHandler(handler)
    logging.getLogger("lb").setLevel(logging.INFO)
