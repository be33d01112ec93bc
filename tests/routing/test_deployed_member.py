"""The instances of a deployed environment follow its rows."""

from __future__ import annotations

import socket

import pytest

from lb.routing.deployed_member import DeployedMember
from lb.routing.deployment import RUNNING, DeployedEnvironment, Outlook, PlacedRow
from lb.routing.health_table import ABSENT, ASLEEP, HEALTHY, Condition, HealthTable


def member() -> DeployedMember:
    return DeployedMember("shop production", DeployedEnvironment("shop", "production"))


def row(name: str, endpoint: str, state: int = HEALTHY) -> Condition:
    return Condition(state, PlacedRow(f"id-{name}", name, "r1", endpoint).text())


@pytest.mark.parametrize(
    ("endpoint", "family", "address"),
    [
        ("unix:/run/x", socket.AF_UNIX, "/run/x"),
        ("127.0.0.1:20000", socket.AF_INET, ("127.0.0.1", 20000)),
        ("[::1]:20000", socket.AF_INET6, ("::1", 20000)),
    ],
)
def test_an_instance_is_made_from_its_row(endpoint: str, family: int, address: object) -> None:
    one = member()
    assert one.apply(1, row("web1", endpoint), 0.0) is None
    made = one.instances[1]
    assert (made.key, made.identity, made.family, made.address) == ("web1 (r1)", "id-web1", family, address)


@pytest.mark.parametrize("state", [ASLEEP, ABSENT])
def test_one_that_is_about_to_end_or_gone_is_handed_back(state: int) -> None:
    one = member()
    one.apply(1, row("web1", "unix:/a"), 0.0)
    made = one.instances[1]
    assert one.apply(1, row("web1", "unix:/a", state), 1.0) is made
    assert one.instances == {}


def test_another_process_of_the_same_name_is_another_instance() -> None:
    one = member()
    one.apply(1, row("web1", "unix:/a"), 0.0)
    first = one.instances[1]
    assert one.apply(1, row("web1", "unix:/b"), 1.0) is first
    assert one.instances[1] is not first


def test_the_first_row_is_the_environments_own() -> None:
    one = member()
    assert one.apply(0, Outlook(RUNNING, 5, "r1").condition(0.0), 0.0) is None
    assert one.instances == {}
    assert one.deployment.outlook == Outlook(RUNNING, 5, "r1")


def test_rows_that_are_no_longer_there_have_no_instances() -> None:
    one = member()
    one.apply(2, row("web2", "unix:/b"), 0.0)
    one.follow((0,), True, 0, HealthTable(16))
    assert one.instances == {}
