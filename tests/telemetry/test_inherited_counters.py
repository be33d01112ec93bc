"""What was counted before this service: while its owner lives, and afterwards."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lb.telemetry.inherited_counters import InheritedCounters, PredecessorCounters, column_sums

NAMES = ("requests", "open")


def cells(*rows: tuple[int, int]) -> memoryview:
    """A slab's cells: so many rows, and room for one more."""
    memory = memoryview(bytearray(8 * (1 + 2 * (len(rows) + 1)))).cast("q")
    memory[0] = len(rows)
    for number, row in enumerate(rows):
        memory[1 + 2 * number], memory[2 + 2 * number] = row
    return memory


def ledger(owner: int, *rows: tuple[int, int]) -> PredecessorCounters:
    return PredecessorCounters(owner, -1, cells(*rows), NAMES, frozenset({"open"}))


@pytest.fixture
def gone() -> int:
    """A process id that nobody has."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_columns_are_summed_over_the_rows_that_were_asked_for() -> None:
    assert column_sums(cells((1, 2), (10, 20)), 2) == [11, 22]
    assert column_sums(cells(), 2) == [0, 0]


# spec: R3
def test_a_predecessor_that_lives_still_counts() -> None:
    one = ledger(os.getpid(), (5, 3))
    earlier = InheritedCounters({"requests": 100}, [one])
    assert earlier.total() == {"requests": 105, "open": 3}
    one.cells[1] = 6
    assert earlier.total()["requests"] == 106
    assert earlier.by_now().ledgers == [one]


# spec: R3
def test_of_one_that_is_gone_what_it_had_open_is_nothing(gone: int) -> None:
    one = ledger(gone, (5, 3))
    earlier = InheritedCounters({"requests": 100}, [one])
    assert earlier.total() == {"requests": 105}
    settled = earlier.by_now()
    assert (settled.settled, settled.ledgers) == ({"requests": 105}, [])
    one.cells[1] = 1000  # nobody looks there any more
    assert settled.total() == {"requests": 105}
