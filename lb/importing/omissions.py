"""What an import leaves out: each with its line, its weight and what to do instead.

The weight says what is lost. Whatever keeps people out is the heaviest: a route that cannot be guarded as before is
closed instead, and its omission says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from lb.config.problems import printable
from lb.importing.source_line import SourceLine


class Weight(IntEnum):
    """What is lost, lightest first."""

    LOGGING = 1
    TUNING = 2
    BEHAVIOUR = 3
    ROUTING = 4
    ACCESS = 5


@dataclass(frozen=True, slots=True)
class Omission:
    """One thing that has no counterpart, or only a similar one."""

    weight: Weight
    at: SourceLine
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.at}: {self.weight.name.lower()}: {printable(self.message)}"
        return f"{text}\n    hint: {printable(self.hint)}" if self.hint else text


class Omissions:
    """Collects omissions; each line says the same thing once."""

    def __init__(self) -> None:
        self._found: dict[Omission, None] = {}

    def add(self, weight: Weight, at: SourceLine, message: str, hint: str = "") -> None:
        self._found[Omission(weight, at, message, hint)] = None

    def heaviest_first(self) -> tuple[Omission, ...]:
        """The omissions by weight, and by line among those of one weight."""
        return tuple(sorted(self._found, key=lambda one: (-one.weight, one.at)))
