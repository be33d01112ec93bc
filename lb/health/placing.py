"""Placements that the engine tells → rows of the health table.

All rows of a placement change together, so that workers go from the old instances to the new ones in one step. While
the engine is away the rows stay as they are. This file knows placements and rows. It must not know sockets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Sequence

from lb.apps.service.placements import PlacedInstance, Placement, RowState
from lb.config.plan import ConfiguredInstance
from lb.routing.deployment import (
    AWAY,
    NEVER,
    RUNNING,
    SLEEPING,
    UNKNOWN,
    Outlook,
    PlacedRow,
    read_outlook,
    read_placed,
)
from lb.routing.health_table import ASLEEP, HEALTHY, LONGEST_HOST, UNCHECKED, Condition, HealthTable
from lb.telemetry.paced_lines import PacedLines

Name = tuple[str, str]
"""App and environment."""


class Placing:
    """The rows of all deployed environments of a configuration."""

    def __init__(self, table: HealthTable, lines: PacedLines) -> None:
        self._table = table
        self._lines = lines
        self._deployed: dict[Name, ConfiguredInstance] = {}
        self._told: dict[Name, Placement] = {}  # over this connection, for a configuration that has not come yet, too
        self._synchronised = False

    @property
    def names(self) -> Collection[Name]:
        return self._deployed.keys()

    def configure(self, deployed: Sequence[ConfiguredInstance]) -> None:
        """These are deployed from now on; what the engine has told of them holds."""
        self._deployed = {(one.app, one.environment): one for one in deployed}
        for name, placement in self._told.items():
            if name in self._deployed:
                self._write(self._deployed[name], placement)
        if self._synchronised:
            self.synchronised()

    def connected(self) -> None:
        """Another connection: everything is told once more."""
        self._told.clear()
        self._synchronised = False

    def heard(self, placement: Placement) -> bool:
        """Brings a placement to its rows. Returns whether they may have changed."""
        name = (placement.app, placement.environment)
        known = self._told.get(name)
        if known is not None and placement.generation <= known.generation:
            return False
        self._told[name] = placement
        one = self._deployed.get(name)
        return one is not None and self._write(one, placement)

    def synchronised(self) -> bool:
        """The engine has told all that it deploys: the others have nothing."""
        self._synchronised = True
        silent = self._deployed.keys() - self._told.keys()
        changed = [self._write(self._deployed[name], Outlook(NEVER)) for name in silent]
        return any(changed)

    def unanswered(self) -> bool:
        """No engine is there, and it has been waited for: requests for what is not known fail."""
        lost = [name for name in self._deployed if self.outlook(name).state == UNKNOWN]
        changed = [self._write(self._deployed[name], Outlook(AWAY)) for name in lost]
        return any(changed)

    def outlook(self, name: Name) -> Outlook:
        """What the environment's row says."""
        return read_outlook(self._table.read(self._table.find(self._deployed[name].placement)))

    def rows(self, name: Name) -> Iterator[tuple[int, Condition, PlacedRow]]:
        """The instances that have a row, those that are about to end included."""
        for row in map(self._table.find, self._deployed[name].keys):
            condition = self._table.read(row)
            placed = read_placed(condition)
            if condition is not None and placed is not None:
                yield row, condition, placed

    def _write(self, one: ConfiguredInstance, placement: Placement | Outlook) -> bool:
        name = (one.app, one.environment)
        now = time.time()
        if isinstance(placement, Placement):
            outlook = Outlook(
                placement.state, placement.generation, placement.release, placement.cause, placement.retry_at
            )
            wanted = self._wanted(one, placement.instances)
        else:
            outlook, wanted = placement, {}
        there = {placed.text(): (row, condition) for row, condition, placed in self.rows(name)}
        going = [there[text][0] for text in there if text not in wanted]
        places = [row for row in map(self._table.find, one.keys) if row >= 0]
        taken = {row for row, _ in there.values()}
        free = [row for row in places if row not in taken] + going
        news: dict[int, Condition] = dict.fromkeys(going, Condition())
        for text, state in wanted.items():
            row, known = there.get(text, (-1, None))
            if row < 0:
                row = free.pop(0)
            news[row] = _condition(text, state, known, now)
        before = self.outlook(name)
        if before != outlook:
            news[self._table.find(one.placement)] = outlook.condition(now)
            self._tell(name, before, outlook)
        changed = {row: condition for row, condition in news.items() if self._table.read(row) != condition}
        self._table.write_together(changed)
        return bool(changed)

    def _wanted(self, one: ConfiguredInstance, placed: Sequence[PlacedInstance]) -> dict[str, int]:
        """The texts of the rows that there are to be, with their states."""
        serves = HEALTHY if one.section.is_checked else UNCHECKED
        wanted = {}
        for instance in placed:
            text = PlacedRow(instance.id, instance.name, instance.release, instance.endpoint).text()
            if instance.endpoint and len(text.encode()) <= LONGEST_HOST:
                wanted[text] = ASLEEP if instance.state is RowState.ASLEEP else serves
        most = len(one.keys)
        if len(wanted) > most:
            self._lines.write(
                logging.WARNING,
                f"app {one.app} {one.environment} has {len(wanted)} instances, and {most} of them get requests: "
                f"set count in the configuration",
            )
        return dict(list(wanted.items())[:most])

    def _tell(self, name: Name, before: Outlook, after: Outlook) -> None:
        title = f"app {' '.join(name)}"
        if after.state == RUNNING and (before.state, before.release) != (RUNNING, after.release):
            self._lines.write(logging.INFO, f"{title} serves release {after.release}")
        elif after.state == SLEEPING and before.state != SLEEPING:
            self._lines.write(logging.INFO, f"{title} is asleep")
        elif after.cause and after.cause != before.cause:
            self._lines.write(logging.WARNING, f"{title}: {after.cause}")


def _condition(text: str, state: int, known: Condition | None, now: float) -> Condition:
    """What the checks have found stays, unless the engine says otherwise: whether it sleeps is for the engine."""
    if known is not None and ASLEEP not in (state, known.state):
        return known
    if known is not None and known.state == state:
        return known
    return Condition(state, text, since=now)
