"""The instances behind a configured address, and what is known about them.

A watched address has rows in the health table: one, or one for each address that its name may have. Here the rows'
contents are applied to a worker's instances and to the environments' lists of them. Knows no connection.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lb.routing.environment import Environment
from lb.routing.health_table import ABSENT, EXPECTED, HEALTHY, Condition, HealthTable
from lb.routing.instance import Instance
from lb.routing.instance_tls import InstanceTls

_UNWATCHED, _UNREAD = Condition(HEALTHY), Condition(EXPECTED)


class Member:
    """One configured address of an environment: `text` as it is written; `host` and `port`, or the `path` of a Unix
    socket. `host` is empty if it is configured by name: then the rows have the addresses.

    `instances` has them by number; an address that is not a name has number 0 only. `limit` is how many requests each
    may serve at once, `checked` whether the instances are checked actively, `tls` how connections to them are secured,
    `both_families` that it is `localhost`, and a server may listen on either loopback address.
    """

    __slots__ = (
        "_identities",
        "both_families",
        "checked",
        "host",
        "instances",
        "limit",
        "path",
        "port",
        "rows",
        "text",
        "tls",
    )

    def __init__(self, text: str, host: str, port: int, path: str) -> None:
        self.text = text
        self.host = host
        self.port = port
        self.path = path
        self.limit = 0
        self.tls: InstanceTls | None = None
        self.both_families = False
        self.checked = False
        self.rows: tuple[int, ...] = ()
        self.instances: dict[int, Instance] = {}
        self._identities: dict[int, str] = {}

    def follow(self, rows: tuple[int, ...], checked: bool, limit: int, table: HealthTable) -> None:
        """Use these rows from now on, none for an unwatched address; rows that it used already are not read."""
        self.limit = limit
        for instance in self.instances.values():
            instance.bound(limit)
        if self.instances and (rows, checked) == (self.rows, self.checked):
            return
        self.rows, self.checked = rows, checked
        now = time.monotonic()
        if not rows:
            self.apply(0, _UNWATCHED, now)
        for number, row in enumerate(rows):
            condition = table.read(row)
            if condition is not None or self.host or self.path:
                self.apply(number, condition or _UNREAD, now)

    def apply(self, number: int, condition: Condition, now: float) -> Instance | None:
        """Apply a condition to the instance of this number; `now` in seconds of the monotonic clock.

        Returns the instance that is no longer in use, if there was one.
        """
        instance = self.instances.get(number)
        identity = self._identity(condition)
        gone = None
        if instance is not None and self._identities[number] != identity:
            gone = self.instances.pop(number)
            instance = None
        if not identity:
            return gone
        passes = condition.serves or not self.checked
        if instance is None:
            instance = self.instances[number] = self._make(condition)
            self._identities[number] = identity
            instance.bound(self.limit)
            instance.secure(self.tls)
            instance.begin_healthy(passes)
        elif passes or not condition.answers:  # else it may serve on: its environment knows whether another one passes
            instance.set_healthy(passes, now)
        instance.checked(passes, condition.answers)
        return gone

    def _identity(self, condition: Condition) -> str:
        """What tells the instance of a row from any other; "" where there is none."""
        return "" if condition.state == ABSENT else instance_key(self.text, condition.host)

    def _make(self, condition: Condition) -> Instance:
        key, host = instance_key(self.text, condition.host), condition.host or self.host
        if self.path:
            return Instance(key, socket.AF_UNIX, self.path)
        instance = Instance(key, socket.AF_INET6 if ":" in host else socket.AF_INET, (host, self.port))
        if self.both_families:
            instance.also_at(*other_loopback(host, self.port))
        return instance


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A change of an environment: the instances that it no longer has."""

    environment: Environment
    gone: list[Instance]


@dataclass(frozen=True, slots=True)
class _Place:
    """The owner of a row."""

    environment: Environment
    member: Member
    number: int


class HealthWatch:
    """A worker's view of the health table: `look` is cheap while nothing changes."""

    def __init__(self, table: HealthTable) -> None:
        self._table = table
        self._seen = 0
        self._members: Mapping[Environment, list[Member]] = {}
        self._places: dict[int, _Place] = {}  # by row

    def follow(self, environments: Mapping[Environment, list[Member]], generation: int) -> None:
        """Watch these from now on, and nothing else. They have what the table said at `generation`."""
        self._members = dict(environments)
        self._places = {
            row: _Place(environment, member, number)
            for environment, members in environments.items()
            for member in members
            for number, row in enumerate(member.rows)
        }
        self._seen = min(self._seen, generation)

    def look(self, now: float) -> list[MemberChange]:
        """What has changed since the last look; the environments' lists are updated already."""
        generation = self._table.generation
        if generation == self._seen:
            return []
        touched: dict[Environment, list[Instance]] = {}
        for row, condition in self._news(generation):
            place = self._places.get(row)
            if place is not None:
                gone = place.member.apply(place.number, condition, now)
                touched.setdefault(place.environment, []).extend([gone] if gone is not None else [])
        for environment in touched:
            environment.change(instances_of(self._members[environment]), now)
        return [MemberChange(environment, gone) for environment, gone in touched.items()]

    def _news(self, generation: int) -> Iterator[tuple[int, Condition]]:
        changes = self._table.changes(self._seen) if self._seen >= 0 else None
        if changes is None:
            self._seen = generation
            for row in self._places:
                condition = self._table.read_as_of(row, generation)
                if condition is None:
                    self._seen = -1  # it is being written: look once more
                else:
                    yield row, condition
            return
        for number, row, condition in changes:
            self._seen = number
            yield row, condition


def other_loopback(host: str, port: int) -> tuple[int, tuple[str, int]]:
    """The family and address of this machine that an app may listen on in place of `host`."""
    return (socket.AF_INET, ("127.0.0.1", port)) if ":" in host else (socket.AF_INET6, ("::1", port))


def instances_of(members: list[Member]) -> list[Instance]:
    """The instances of an environment, in the order of its configuration."""
    return [member.instances[number] for member in members for number in sorted(member.instances)]


def instance_key(text: str, host: str) -> str:
    """The name of an instance: as it is configured, followed by its address if that is a name."""
    return f"{text} ({host})" if host else text
