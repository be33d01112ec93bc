"""Rows of the health table for the instances that a plan watches: which get one, and their initial condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from lb.config.plan import ConfiguredInstance
from lb.routing.health_table import EXPECTED, HEALTHY, STARTING, UNCHECKED, Condition, HealthTable


def rows_needed(watched: Iterable[ConfiguredInstance]) -> int:
    """How many rows they need."""
    return sum(len(one.keys) for one in watched)


def give_rows(
    table: HealthTable,
    watched: Sequence[ConfiguredInstance],
    now: float,
    known: Mapping[bytes, Condition] = MappingProxyType({}),
) -> None:
    """Give rows to the watched instances that have none yet; `now` in seconds since the epoch. Raises TableFullError.
    `known` is the predecessor's knowledge, by key.

    An instance that joins others known to work waits for its first passed check. If none is known to, it is trusted
    until a check has failed: when the service starts, no request is refused only because no check has run yet.
    """
    working = {
        (one.app, one.environment)
        for one in watched
        if any(is_proven(table, table.find(key)) or _is_healthy(known.get(key)) for key in one.keys)
    }
    new: dict[bytes, Condition] = {}
    for one in watched:
        state = STARTING if (one.app, one.environment) in working else EXPECTED
        first = Condition() if one.address.is_name else Condition(state, since=now)
        new.update((key, _inherited(one, known.get(key)) or first) for key in one.keys if table.find(key) < 0)
    table.claim(new)


def _inherited(one: ConfiguredInstance, known: Condition | None) -> Condition | None:
    """The part of an instance's known condition that applies to this configuration."""
    if known is None or bool(known.host) != one.address.is_name:
        return None
    if not one.section.is_checked:
        return Condition(UNCHECKED, known.host, known.since)
    return replace(known, state=EXPECTED) if known.state == UNCHECKED else known


def is_proven(table: HealthTable, row: int) -> bool:
    """Whether the checks say that the instance of this row works; -1 is no row."""
    return _is_healthy(table.read(row)) if row >= 0 else False


def _is_healthy(condition: Condition | None) -> bool:
    return condition is not None and condition.state == HEALTHY
