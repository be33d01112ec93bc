"""Where something stands in the file that is imported, and how its reader gives up.

This file knows names and numbers of lines, and no language.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.config.problems import printable


@dataclass(frozen=True, slots=True, order=True)
class SourceLine:
    """A line of an imported file; the number counts from 1 (0: the file as a whole)."""

    file: str
    line: int

    def __str__(self) -> str:
        return printable(f"{self.file}:{self.line}" if self.line else self.file)


class UnreadableSourceError(Exception):
    """A file that cannot be imported at all: where, and why."""

    def __init__(self, at: SourceLine, message: str) -> None:
        super().__init__(f"{at}: {printable(message)}")
        self.at = at
        self.message = message
