"""How an instance ended: facts, and the one sentence that people read. Knows nothing of processes or files."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lb.apps.run.exit_words import exit_sentence

_CLEAN_AFTER_TERM = (0, 128 + signal.SIGTERM)  # uvicorn and shells report the signal as a status


@dataclass(frozen=True, slots=True)
class Exit:
    """`status` or `signal` is how the main process ended; both are None if nobody saw it (the shim was lost).

    `asked`: it was told to end. `cause` is "" or what ended it: `memory`, `files`, `processes`, `lost`, or `start`
    with `detail` (the command could not be started at all). `left` counts processes that had outlived the main one,
    `lines` are the last of its log, `at` seconds since the epoch.
    """

    status: int | None = None
    signal: int | None = None
    asked: bool = False
    cause: str = ""
    detail: str = ""
    left: int = 0
    lines: tuple[str, ...] = ()
    at: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether it ended as it should after being told to: status 0, 143, or SIGTERM itself."""
        return self.asked and not self.cause and (self.status in _CLEAN_AFTER_TERM or self.signal == signal.SIGTERM)

    @property
    def left_foreground(self) -> bool:
        """Whether the main process ended well and left others behind, as a daemon does."""
        return self.status == 0 and self.left > 0 and not self.asked

    def sentence(self) -> str:
        """`exited with status 3`, `was killed for memory (512 MB)` …: what follows the instance's name."""
        return exit_sentence(
            self.status, self.signal, self.cause, self.detail, asked=self.asked, left_foreground=self.left_foreground
        )

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Exit:
        """From the shim's record; keys that it does not know are ignored, those that lack keep their defaults."""
        return Exit(
            status=record.get("status"),
            signal=record.get("signal"),
            asked=bool(record.get("asked")),
            cause=str(record.get("cause", "")),
            detail=str(record.get("detail", "")),
            left=int(record.get("left", 0)),
            lines=tuple(str(line) for line in record.get("lines", ())),
            at=float(record.get("at", 0.0)),
        )
