"""What one supervisor tells the next about instances, and what the next makes of it."""

from __future__ import annotations

import json

import pytest

from lb.config.plan import row_key
from lb.control.upgrade.health import read_back, write_down
from lb.routing.health_rows import give_rows
from lb.routing.health_table import (
    ABSENT,
    EXPECTED,
    HEALTHY,
    STARTING,
    UNCHECKED,
    UNHEALTHY,
    Condition,
    HealthTable,
)
from tests.routing.test_members import planned, section

KEY = row_key("shop", "production", "127.0.0.1:1")
ILL = Condition(UNHEALTHY, "", 10.0, 20.5, "GET / answered 500", 20.5, "GET / answered 500")


def given(known: dict[bytes, Condition], *texts: str, checks: bool = True) -> list[Condition | None]:
    """The first rows that a successor's table has for these instances."""
    table = HealthTable(256)
    watched = [one for one in planned(section(*texts, checks=checks)).instances if one.keys]
    give_rows(table, watched, 99.0, known)
    return [table.read(table.find(row_key("shop", "production", text))) for text in texts]


def test_what_was_written_down_is_read_back() -> None:
    table = HealthTable(64)
    name = row_key("shop", "production", "app:80", 3)
    resolved = Condition(HEALTHY, "10.0.0.7", 1.0, 2.0, "GET / answered 200")
    table.claim({KEY: ILL, name: resolved, row_key("shop", "production", "app:80", 4): Condition()})
    assert read_back(write_down(table)) == {KEY: ILL, name: resolved}
    table.keep({name})
    assert read_back(write_down(table)) == {name: resolved}
    assert read_back(write_down(HealthTable(64))) == {}


def test_another_version_may_know_more_and_less() -> None:
    entries = [
        {"key": "00" * 16, "state": "exhausted"},
        {"key": "11" * 16, "state": "unhealthy", "colour": "red"},
        {"state": "healthy"},
    ]
    assert read_back(json.dumps(entries).encode()) == {b"\x11" * 16: Condition(UNHEALTHY)}


@pytest.mark.parametrize("text", [b"", b"{", b"7", b'[{"key": "x", "state": "healthy"}]', b"[7]"])
def test_nonsense_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        read_back(text)


def test_a_successor_begins_with_what_is_known() -> None:
    assert given({KEY: ILL}, "127.0.0.1:1", "127.0.0.1:2") == [ILL, Condition(EXPECTED, since=99.0)]


def test_who_joins_others_that_work_waits_for_his_first_check() -> None:
    healthy = Condition(HEALTHY, since=5.0)
    assert given({KEY: healthy}, "127.0.0.1:1", "127.0.0.1:2") == [healthy, Condition(STARTING, since=99.0)]


def test_who_is_not_checked_any_more_is_not_ill_for_ever() -> None:
    key = row_key("shop", "production", "app:80")
    ill = Condition(UNHEALTHY, "10.0.0.7", 1.0, 2.0, "no", 2.0, "no")
    assert given({key: ill}, "app:80") == [ill]
    assert given({key: ill}, "app:80", checks=False) == [Condition(UNCHECKED, "10.0.0.7", 1.0)]
    trusted = Condition(UNCHECKED, "10.0.0.7", 1.0)
    assert given({key: trusted}, "app:80") == [Condition(EXPECTED, "10.0.0.7", 1.0)]


def test_a_name_without_its_address_is_to_be_looked_up() -> None:
    assert given({row_key("shop", "production", "app:80"): ILL}, "app:80") == [Condition(ABSENT)]
