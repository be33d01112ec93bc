"""The health table: keys, changes, and what a reader sees of a row that is being written."""

from __future__ import annotations

import os
import random

import pytest

from lb.config.plan import row_key
from lb.routing.health_table import (
    ABSENT,
    EXPECTED,
    HEALTHY,
    STARTING,
    UNCHECKED,
    UNHEALTHY,
    Condition,
    HealthTable,
    TableFullError,
)


def keys(count: int) -> list[bytes]:
    return [row_key("shop", "production", f"127.0.0.1:{port}") for port in range(1, count + 1)]


def filled(count: int, capacity: int = 64) -> HealthTable:
    table = HealthTable(capacity)
    table.claim(dict.fromkeys(keys(count), Condition(EXPECTED)))
    return table


def test_a_key_names_app_environment_address_and_number() -> None:
    parts = [
        ("shop", "production", "web:1", 0),
        ("shop", "production", "web:1", 1),
        ("shop", "production", "web:2", 0),
        ("shop", "staging", "web:1", 0),
        ("blog", "production", "web:1", 0),
    ]
    assert len({row_key(*one) for one in parts}) == len(parts)


def test_every_instance_has_a_row_of_its_own() -> None:
    table = filled(1000, 1000)
    rows = [table.find(key) for key in keys(1000)]
    assert min(rows) >= 0
    assert len(set(rows)) == 1000
    assert table.find(row_key("shop", "staging", "127.0.0.1:1")) == -1
    assert table.read(-1) is None


@pytest.mark.parametrize(
    "condition",
    [
        Condition(),
        Condition(HEALTHY, since=12.5, checked=13.25, last="GET / answered 200"),
        Condition(UNHEALTHY, "2001:db8::1", 1.0, 2.0, "GET / answered 500", 2.0, "GET / answered 500"),
        Condition(STARTING, last="bücher", error="→"),
    ],
)
def test_what_is_written_is_read(condition: Condition) -> None:
    table = filled(1)
    row = table.find(keys(1)[0])
    table.write(row, condition)
    assert table.read(row) == condition


def test_the_first_row_is_one_like_the_others() -> None:
    table, key = HealthTable(8), b"\0" * 8 + b"its key."
    table.claim({key: Condition(EXPECTED)})
    assert table.find(key) == 0
    assert table.read(0) == Condition(EXPECTED)
    assert list(table.conditions()) == [(key, Condition(EXPECTED))]


def test_a_long_text_is_cut_at_a_character() -> None:
    table = filled(1)
    row = table.find(keys(1)[0])
    table.write(row, Condition(UNHEALTHY, "10.0.0.1", last="ü" * 500, error="x" * 500))
    condition = table.read(row)
    assert condition is not None
    assert condition.last == "ü" * 61 + "…"
    assert condition.error == "x" * 122 + "…"
    assert condition.host == "10.0.0.1"


def test_states_that_serve() -> None:
    states = {state: Condition(state).serves for state in (ABSENT, UNCHECKED, EXPECTED, STARTING, HEALTHY, UNHEALTHY)}
    assert [state for state, serves in states.items() if serves] == [UNCHECKED, EXPECTED, HEALTHY]


def test_only_changes_of_state_or_address_are_announced() -> None:
    table = filled(2)
    first, second = (table.find(key) for key in keys(2))
    table.write(first, Condition(HEALTHY, checked=1.0))
    later_check = Condition(HEALTHY, checked=2.0, last="GET / answered 204")
    table.write(first, later_check)
    assert (table.generation, table.read(first)) == (1, later_check)
    table.write(second, Condition(UNHEALTHY))
    table.write(first, Condition(HEALTHY, "10.0.0.2"))
    changes = table.changes(0)
    assert changes is not None
    assert [(number, row) for number, row, _ in changes] == [(1, first), (2, second), (3, first)]
    later = table.changes(2)
    assert later is not None
    assert [(row, condition.host) for _, row, condition in later] == [(first, "10.0.0.2")]


def test_a_reader_that_was_away_for_long_looks_at_everything() -> None:
    table = filled(1)
    row = table.find(keys(1)[0])
    for count in range(600):
        table.write(row, Condition(HEALTHY if count % 2 else UNHEALTHY))
    assert table.changes(0) is None
    recent = table.changes(590)
    assert recent is not None
    assert len(list(recent)) == 10


def test_a_row_that_is_half_written_is_no_condition() -> None:
    table = filled(2)
    first, second = (table.find(key) for key in keys(2))
    table.write(first, Condition(HEALTHY))
    table.write(second, Condition(HEALTHY))
    table._cells[first * 384 + 60] ^= 1
    assert table.read(first) is None
    assert table.read(second) == Condition(HEALTHY)
    changes = table.changes(0)
    assert changes is not None
    assert list(changes) == []  # the reader comes back to it, and to what follows


def test_a_number_that_is_faster_than_its_row_is_waited_for() -> None:
    table = filled(1)
    table._numbers[1 + 1 % 1024] = table.find(keys(1)[0])
    table._numbers[0] = 1
    changes = table.changes(0)
    assert changes is not None
    assert list(changes) == []


def test_what_one_process_writes_another_reads() -> None:
    table = filled(3)
    rows = [table.find(key) for key in keys(3)]
    pid = os.fork()
    if pid == 0:
        table.write(rows[1], Condition(UNHEALTHY, error="GET / answered 500"))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert table.generation == 1
    condition = table.read(rows[1])
    assert condition is not None
    assert condition.error == "GET / answered 500"


def test_a_full_table_says_so_and_has_changed_nothing() -> None:
    table = filled(10, 12)
    new = [row_key("blog", "production", str(port)) for port in range(3)]
    with pytest.raises(TableFullError):
        table.claim(dict.fromkeys(new, Condition()))
    assert [table.find(key) for key in new] == [-1, -1, -1]
    table.claim(dict.fromkeys(new[:2], Condition()))


def test_rows_that_nobody_needs_are_used_again() -> None:
    random.seed(7)
    table = HealthTable(100)
    present: set[bytes] = set()
    for turn in range(30):
        new = [row_key("shop", "production", f"{turn}:{port}") for port in range(random.randrange(1, 50))]
        wanted = set(random.sample(sorted(present), len(present) // 2)) | set(new)
        table.keep(present & wanted)
        table.claim(dict.fromkeys(new, Condition(UNCHECKED)))
        gone, present = present - wanted, wanted
        assert all(table.find(key) == -1 for key in gone)
        assert len({table.find(key) for key in present}) == len(present)
        assert all(table.find(key) >= 0 for key in present)
