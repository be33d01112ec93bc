"""The log line for an environment in which no instance passes its checks, but some answer them (A1).

Those that answer then get the requests: `routing/environment` decides that, and this file logs it once. Instances that
cannot be reached, or do not answer, get none.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lb.routing.health_table import Condition
from lb.telemetry.paced_lines import PacedLines

_TEXT = "no instance passes its checks, but some answer them: those get the requests until one passes"


class LastResort:
    """Remembers for which environments, by app and name, the line was written."""

    def __init__(self, lines: PacedLines) -> None:
        self._lines = lines
        self._said: set[tuple[str, str]] = set()

    def look(self, group: tuple[str, str], conditions: Sequence[Condition]) -> None:
        """Takes the current conditions of all instances of an environment."""
        if any(condition.serves for condition in conditions):
            self._said.discard(group)
        elif any(condition.answers for condition in conditions) and group not in self._said:
            self._said.add(group)
            self._lines.write(logging.WARNING, f"app {' '.join(group)}: {_TEXT}")
