"""Addresses of a name in its rows: who stays, who goes, who takes whose place; and what a look-up returns."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lb.config.model import EnvironmentSettings, InstanceAddress
from lb.config.plan import ConfiguredInstance, configured_instances
from lb.health.dns import AddressChange, ResolvedName, by_environment, look_up, look_up_first, place, unfound
from lb.routing.health_rows import give_rows
from lb.routing.health_table import ABSENT, EXPECTED, HEALTHY, STARTING, UNCHECKED, Condition, HealthTable

NOT_FOUND = ResolvedName((), "Name or service not known")


class Resolver:
    """What `socket.getaddrinfo` says."""

    def __init__(self, **names: tuple[str, ...]) -> None:
        self.names = names

    def __call__(self, host: str, *_: object, **__: object) -> list[Any]:
        if not self.names.get(host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 0, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))
            for address in self.names[host]
        ]


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        (("10.0.0.1",), ("10.0.0.1",)),
        (("10.0.0.2", "10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")),
        (("::1", "127.0.0.1"), ("127.0.0.1",)),
        (("2001:db8::1", "fe80::1%lo"), ("2001:db8::1", "fe80::1%lo")),
        ((), ()),
    ],
)
def test_look_up(monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...], found: tuple[str, ...]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(web=addresses))
    assert look_up("web").hosts == found
    assert bool(look_up("web").error) == (not found)


def test_a_name_that_cannot_be_one_is_not_found() -> None:
    assert look_up("a" * 70 + ".example").hosts == ()


class World:
    """The rows of one environment with a name, and perhaps others."""

    def __init__(self, *texts: str, checks: bool) -> None:
        addresses = tuple(
            InstanceAddress(host=text.partition(":")[0], port=80, path="", text=text) for text in ("web:80", *texts)
        )
        section = EnvironmentSettings(instances=addresses, health_checks=checks)
        self.everything = [one for one in configured_instances("shop", "production", section) if one.keys]
        self.table = HealthTable(256)
        give_rows(self.table, self.everything, 1.0)
        self.web: ConfiguredInstance = self.everything[0]

    def place(self, *hosts: str) -> AddressChange:
        found = ResolvedName(hosts) if hosts else NOT_FOUND
        return place(
            self.table, self.web, by_environment(self.everything)["shop", "production"], found, self.table.write
        )

    def rows(self) -> dict[int, tuple[str, int]]:
        """Number → address and state, of what is there."""
        found = {}
        for number, key in enumerate(self.web.keys):
            condition = self.table.read(self.table.find(key))
            assert condition is not None
            if condition.state != ABSENT:
                found[number] = (condition.host, condition.state)
        return found

    def set(self, number: int, state: int) -> None:
        host = self.rows()[number][0]
        self.table.write(self.table.find(self.web.keys[number]), Condition(state, host))


def test_addresses_get_rows() -> None:
    world = World(checks=False)
    assert world.place("10.0.0.1", "10.0.0.2") == AddressChange((), ("10.0.0.1", "10.0.0.2"))
    assert world.rows() == {0: ("10.0.0.1", UNCHECKED), 1: ("10.0.0.2", UNCHECKED)}


def test_who_stays_keeps_row_and_state_in_whatever_order() -> None:
    world = World(checks=True)
    world.place("10.0.0.1", "10.0.0.2")
    world.set(0, HEALTHY)
    generation = world.table.generation
    world.place("10.0.0.2", "10.0.0.1")
    assert world.rows() == {0: ("10.0.0.1", HEALTHY), 1: ("10.0.0.2", EXPECTED)}
    assert world.table.generation == generation


def test_a_new_address_takes_the_place_of_one_that_goes() -> None:
    world = World(checks=False)
    world.place("10.0.0.1", "10.0.0.2", "10.0.0.3")
    generation = world.table.generation
    world.place("10.0.0.3", "10.0.0.4")
    assert world.rows() == {0: ("10.0.0.4", UNCHECKED), 2: ("10.0.0.3", UNCHECKED)}
    assert world.table.generation == generation + 2


def test_an_address_that_joins_others_that_work_proves_itself_first() -> None:
    world = World(checks=True)
    world.place("10.0.0.1")
    world.set(0, HEALTHY)
    world.place("10.0.0.1", "10.0.0.2")
    assert world.rows()[1] == ("10.0.0.2", STARTING)


def test_an_address_that_comes_instead_is_trusted() -> None:
    world = World(checks=True)
    world.place("10.0.0.1")
    world.set(0, HEALTHY)
    world.place("10.0.0.2")
    assert world.rows() == {0: ("10.0.0.2", EXPECTED)}


def test_siblings_that_work_count() -> None:
    world = World("10.0.0.9:80", checks=True)
    world.table.write(world.table.find(world.everything[1].keys[0]), Condition(HEALTHY))
    world.place("10.0.0.1")
    assert world.rows() == {0: ("10.0.0.1", STARTING)}


def test_a_failed_look_up_changes_nothing() -> None:
    world = World(checks=False)
    world.place("10.0.0.1")
    assert world.place() == AddressChange(("10.0.0.1",), ("10.0.0.1",))
    assert world.rows() == {0: ("10.0.0.1", UNCHECKED)}


def test_why_there_is_no_address_is_kept() -> None:
    world = World(checks=False)
    world.place()
    assert unfound(world.table, world.everything) == ["web:80: Name or service not known"]
    world.place("10.0.0.1")
    assert unfound(world.table, world.everything) == []


def test_sixteen_addresses_at_most_and_those_in_use_first() -> None:
    world = World(checks=False)
    many = [f"10.0.0.{number}" for number in range(40)]
    world.place(*many[:3])
    world.place(*reversed(many))
    hosts = [host for host, _ in world.rows().values()]
    assert len(hosts) == 16
    assert hosts[:3] == many[:3]


def test_before_the_first_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(web=("10.0.0.1",)))
    world = World("api:80", "10.0.0.9:80", checks=False)
    look_up_first(world.table, world.everything)
    assert world.rows() == {0: ("10.0.0.1", UNCHECKED)}
    assert unfound(world.table, world.everything) == ["api:80: Name or service not known"]
    assert world.table.generation == 0  # who follows these rows reads them first


def test_names_that_are_known_are_left_to_who_looks_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(web=("10.0.0.1",), api=("10.0.0.2",)))
    world = World("api:80", checks=False)
    world.place()
    look_up_first(world.table, world.everything)
    assert unfound(world.table, world.everything) == ["web:80: Name or service not known"]
