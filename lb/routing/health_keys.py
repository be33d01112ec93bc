"""Which instances of a configuration are watched, and under which keys they stand in the health table.

Watched are those whose environment asks for checks, and those that are configured by name: their addresses may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from lb.config.model import Config, EnvironmentSettings, InstanceAddress
from lb.routing.health_table import EXPECTED, HEALTHY, NAME_ROWS, STARTING, UNCHECKED, Condition, HealthTable, row_key


@dataclass(frozen=True, slots=True)
class WatchedInstance:
    """One configured instance; `keys` are those of its rows: one, or one for each address that a name may have."""

    app: str
    environment: str
    section: EnvironmentSettings
    address: InstanceAddress
    keys: tuple[bytes, ...]

    @property
    def title(self) -> str:
        """What the log calls it."""
        return f"app {self.app} {self.environment} {self.address.text}"


def watched(config: Config) -> Iterator[WatchedInstance]:
    """Every instance that is watched, environment by environment."""
    for app, settings in config.apps.items():
        for name, section in (("production", settings.production), ("staging", settings.staging)):
            if section is not None:
                is_checked = section.is_checked
                for address in section.instances:
                    if is_checked or address.is_name:
                        yield WatchedInstance(app, name, section, address, keys_of(app, name, address))


def names_of(config: Config) -> list[tuple[str, str, str]]:
    """App, environment and address of every instance, watched or not, as they are configured."""
    return [
        (app, name, address.text)
        for app, settings in config.apps.items()
        for name, section in (("production", settings.production), ("staging", settings.staging))
        if section is not None
        for address in section.instances
    ]


def keys_of(app: str, environment: str, address: InstanceAddress) -> tuple[bytes, ...]:
    """The keys of an instance's rows."""
    rows = NAME_ROWS if address.is_name else 1
    return tuple(row_key(app, environment, address.text, number) for number in range(rows))


def rows_needed(config: Config) -> int:
    """How many rows a configuration takes."""
    return sum(len(one.keys) for one in watched(config))


def give_rows(
    table: HealthTable, config: Config, now: float, known: Mapping[bytes, Condition] = MappingProxyType({})
) -> None:
    """Gives rows to the instances that have none yet; `now` in seconds since the epoch. Raises TableFullError.
    `known` is what a predecessor knew, by key.

    An instance that joins others which are known to work waits for its first passed check. Where none is, it is trusted
    until a check has failed: at the start of the service nobody is turned away because nothing has been asked yet.
    """
    everything = list(watched(config))
    working = {
        (one.app, one.environment)
        for one in everything
        if any(is_proven(table, table.find(key)) or _is_healthy(known.get(key)) for key in one.keys)
    }
    new: dict[bytes, Condition] = {}
    for one in everything:
        state = STARTING if (one.app, one.environment) in working else EXPECTED
        first = Condition() if one.address.is_name else Condition(state, since=now)
        new.update((key, _inherited(one, known.get(key)) or first) for key in one.keys if table.find(key) < 0)
    table.claim(new)


def _inherited(one: WatchedInstance, known: Condition | None) -> Condition | None:
    """What is known of an instance, as far as this configuration has a use for it."""
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
