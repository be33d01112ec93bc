"""Which instances of a configuration are watched, and what their rows begin with."""

from __future__ import annotations

import json

from lb.routing.health_keys import give_rows, is_proven, names_of, rows_needed, watched

from lb.config.load import load_bytes
from lb.config.model import Config
from lb.routing.health_table import EXPECTED, HEALTHY, NAME_ROWS, STARTING, Condition, HealthTable


def config(*instances: str, checks: bool = True) -> Config:
    production = {"instances": list(instances), "health_checks": checks}
    apps = {"shop": {"domains": ["a.example"], "production": production}}
    return load_bytes("test", json.dumps({"listen": {"http": "127.0.0.1:0"}, "apps": apps}).encode(), {}).config


# spec: A1
def test_who_is_watched() -> None:
    mixed = ("127.0.0.1:1", "db.internal:2")
    assert [one.address.text for one in watched(config(*mixed))] == list(mixed)
    assert [one.address.text for one in watched(config(*mixed, checks=False))] == ["db.internal:2"]
    assert rows_needed(config(*mixed)) == 1 + NAME_ROWS
    assert names_of(config(*mixed, checks=False)) == [("shop", "production", text) for text in mixed]
    (first, _) = watched(config(*mixed))
    assert first.title == "app shop production 127.0.0.1:1"


def states(table: HealthTable, settings: Config) -> list[int]:
    found = [table.read(table.find(one.keys[0])) for one in watched(settings)]
    return [condition.state for condition in found if condition is not None]


# spec: A1
def test_at_the_start_all_are_trusted_and_one_that_joins_those_that_work_has_to_pass_first() -> None:
    table = HealthTable(64)
    before = config("127.0.0.1:1")
    give_rows(table, before, 1000.0)
    assert states(table, before) == [EXPECTED]
    (one,) = watched(before)
    assert not is_proven(table, table.find(one.keys[0]))
    table.write(table.find(one.keys[0]), Condition(HEALTHY))
    assert is_proven(table, table.find(one.keys[0]))
    after = config("127.0.0.1:1", "127.0.0.1:2")
    give_rows(table, after, 2000.0)
    assert states(table, after) == [HEALTHY, STARTING]


# spec: R3
def test_what_a_predecessor_knew_is_taken_over() -> None:
    settings = config("127.0.0.1:1")
    (one,) = watched(settings)
    table = HealthTable(64)
    give_rows(table, settings, 1000.0, {one.keys[0]: Condition(HEALTHY, since=500.0)})
    found = table.read(table.find(one.keys[0]))
    assert found is not None
    assert (found.state, found.since) == (HEALTHY, 500.0)
    assert not is_proven(table, -1)
