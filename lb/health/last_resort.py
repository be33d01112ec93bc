"""What the log says when none of an environment's instances passes its checks, but some answer them (A1).

Requests go to those that answer then: `routing/environment` decides that, and this file says it once. Instances that
cannot be reached, or do not answer, get none.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lb.routing.health_table import Condition
from lb.telemetry.paced_lines import Lines

_TEXT = "no instance passes its checks, but some answer them: requests go to those all the same, until one passes"


class LastResort:
    """Remembers of which environments, by app and name, it has been said."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._said: set[tuple[str, str]] = set()

    def look(self, group: tuple[str, str], conditions: Sequence[Condition]) -> None:
        """How all the instances of an environment are now."""
        if any(condition.serves for condition in conditions):
            self._said.discard(group)
        elif any(condition.answers for condition in conditions) and group not in self._said:
            self._said.add(group)
            self._lines.write(logging.WARNING, f"app {' '.join(group)}: {_TEXT}")
