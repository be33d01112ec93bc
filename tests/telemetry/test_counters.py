from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from lb.errors import CAUSES
from lb.telemetry.counters import GAUGES, INDEX, NAMES, Slab
from lb.telemetry.process_kind import PARTS

OPEN = INDEX["connections_open"]

# Under pytest-xdist there is a second thread, which Python 3.12 and later warn about; the children here use none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def numbered(start: int) -> list[int]:
    return list(range(start, start + len(NAMES)))


def in_a_child(action: Callable[[], None]) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0


def test_names() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {f"error_{code}" for code in CAUSES} < set(NAMES)
    assert {f"responses_{first}xx" for first in "12345"} < set(NAMES)
    assert set(NAMES) >= GAUGES
    assert [NAMES[place] for place in INDEX.values()] == list(INDEX)


def test_totals_are_sums_over_slots() -> None:
    slab = Slab(3)
    assert slab.total() == dict.fromkeys(NAMES, 0)
    slab.row(0).store(numbered(1))
    slab.row(2).store(numbered(1000))
    assert slab.total() == {name: 1001 + 2 * place for place, name in enumerate(NAMES)}
    slab.row(0).store(numbered(0))
    assert slab.total()["requests_total"] == 1000


# spec: R3, O2
def test_what_the_parent_counts_is_part_of_the_totals() -> None:
    slab = Slab(2)
    for process in PARTS:
        slab.count(f"restarts_{process}")
    slab.count("restarts_worker")
    slab.row(0).store(numbered(0))
    slab.row(0).load()
    total = slab.total()
    assert total["restarts_worker"] == 2 + INDEX["restarts_worker"]
    assert total["restarts_admin"] == 1 + INDEX["restarts_admin"]


# spec: R3
def test_a_childs_counters_outlive_it() -> None:
    slab = Slab(2)
    in_a_child(lambda: slab.row(1).store(numbered(5)))
    assert slab.total() == dict(zip(NAMES, numbered(5), strict=True))


# spec: R3
def test_the_next_worker_in_the_slot_counts_on() -> None:
    slab = Slab(2)
    slab.row(0).store(numbered(50))
    in_a_child(lambda: slab.row(1).store(numbered(5)))
    inherited = slab.row(1).load()
    expected = numbered(5)
    for gauge in GAUGES:
        expected[INDEX[gauge]] = 0
    assert inherited == expected
    # The dead worker's connections are gone from the totals before the new one stores anything.
    assert slab.total()["connections_open"] == 50 + OPEN


@pytest.mark.parametrize("slot", [-1, 2, 100, -100])
def test_a_slot_that_does_not_exist(slot: int) -> None:
    with pytest.raises(IndexError, match=f"slot {slot} of 2"):
        Slab(2).row(slot)


@pytest.mark.parametrize("length", [0, len(NAMES) - 1, len(NAMES) + 1])
def test_a_row_of_the_wrong_length_changes_nothing(length: int) -> None:
    slab = Slab(2)
    slab.row(0).store(numbered(1))
    slab.row(1).store(numbered(1))
    with pytest.raises(ValueError, match="structure"):
        slab.row(0).store([9] * length)
    assert slab.row(1).load()[0] == 1
    assert slab.total()["requests_total"] == 2


def test_cells_hold_64_bits() -> None:
    slab = Slab(1)
    slab.row(0).store([2**63 - 1] * len(NAMES))
    assert slab.total()["bytes_out"] == 2**63 - 1


def test_a_slab_needs_a_slot() -> None:
    with pytest.raises(ValueError, match="slot"):
        Slab(0)
