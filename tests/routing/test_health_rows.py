"""Which rows of the health table watched instances get, and their initial condition."""

from __future__ import annotations

import json

import pytest

from lb.config.load import load_bytes
from lb.config.plan import NAME_ROWS, ConfiguredInstance
from lb.routing.health_rows import give_rows, is_proven, rows_needed
from lb.routing.health_table import EXPECTED, HEALTHY, STARTING, UNCHECKED, Condition, HealthTable, TableFullError

Watched = tuple[ConfiguredInstance, ...]


def watched(*instances: str, checks: bool = True) -> Watched:
    production = {"instances": list(instances), "health_checks": checks}
    apps = {"shop": {"domains": ["a.example"], "production": production}}
    value = {"listen": {"http": "127.0.0.1:0"}, "apps": apps}
    return load_bytes("test", json.dumps(value).encode(), {}).plan.health.watched


def states(table: HealthTable, instances: Watched) -> list[int]:
    found = [table.read(table.find(one.keys[0])) for one in instances]
    return [condition.state for condition in found if condition is not None]


# spec: A1
def test_a_name_needs_a_row_for_each_address_that_is_used() -> None:
    mixed = ("127.0.0.1:1", "db.internal:2")
    assert rows_needed(watched(*mixed)) == 1 + NAME_ROWS
    assert rows_needed(watched(*mixed, checks=False)) == NAME_ROWS


def test_there_are_rows_for_as_many_as_the_table_holds() -> None:
    named = watched("db.internal:2")
    table = HealthTable(NAME_ROWS)
    give_rows(table, named, 1000.0)
    assert all(table.find(key) >= 0 for key in named[0].keys)
    with pytest.raises(TableFullError):
        give_rows(table, watched("127.0.0.1:1"), 1000.0)


# spec: A1
def test_at_the_start_all_are_trusted_and_one_that_joins_those_that_work_has_to_pass_first() -> None:
    table = HealthTable(64)
    before = watched("127.0.0.1:1")
    give_rows(table, before, 1000.0)
    assert states(table, before) == [EXPECTED]
    (one,) = before
    assert not is_proven(table, table.find(one.keys[0]))
    table.write(table.find(one.keys[0]), Condition(HEALTHY))
    assert is_proven(table, table.find(one.keys[0]))
    after = watched("127.0.0.1:1", "127.0.0.1:2")
    give_rows(table, after, 2000.0)
    assert states(table, after) == [HEALTHY, STARTING]


# spec: R3
def test_what_a_predecessor_knew_is_taken_over() -> None:
    (one,) = watched("127.0.0.1:1")
    table = HealthTable(64)
    give_rows(table, (one,), 1000.0, {one.keys[0]: Condition(HEALTHY, since=500.0)})
    found = table.read(table.find(one.keys[0]))
    assert found is not None
    assert (found.state, found.since) == (HEALTHY, 500.0)
    assert not is_proven(table, -1)


# spec: R3
@pytest.mark.parametrize(("checks", "known", "state"), [(True, UNCHECKED, EXPECTED), (False, HEALTHY, UNCHECKED)])
def test_of_a_predecessors_knowledge_applies_what_the_new_checks_could_have_found(
    checks: bool, known: int, state: int
) -> None:
    (named,) = watched("db.internal:2", checks=checks)
    table = HealthTable(64)
    give_rows(table, (named,), 1000.0, {named.keys[0]: Condition(known, "10.0.0.7", 500.0)})
    found = table.read(table.find(named.keys[0]))
    assert found is not None
    assert (found.state, found.host, found.since) == (state, "10.0.0.7", 500.0)
