"""What workers tell of their instances: only what is about the same instances is put together."""

from __future__ import annotations

import os
from array import array

import pytest

from lb.telemetry.instance_gauges import NUMBERS, InstanceGauges, InstanceLoad, Name, digest

SHOP, STAGE, OTHER = ("shop", "production", "a:1"), ("shop", "staging", "a:1"), ("other", "production", "b:1")


def tell(loads: InstanceGauges, slot: int, names: list[Name], *figures: int) -> None:
    """Three figures an instance: it has never failed."""
    whole = [number for at in range(0, len(figures), 3) for number in (*figures[at : at + 3], 0, 0, 0)]
    loads.page(slot).store(digest(names), array("i", whole))


def test_sums_over_workers() -> None:
    loads = InstanceGauges(4, 8)
    tell(loads, 0, [SHOP, OTHER], 1, 1, 7, 3, 2, 0)
    tell(loads, 2, [SHOP, OTHER], 1, 0, 1, 3, 3, 5)
    assert loads.total([SHOP, OTHER], range(4)) == [InstanceLoad(2, 1, 8), InstanceLoad(6, 5, 5)]
    assert loads.total([SHOP, OTHER], [2]) == [InstanceLoad(1, 0, 1), InstanceLoad(3, 3, 5)]
    assert loads.total([SHOP, OTHER], [1]) == []


def test_the_last_failure_of_all_workers() -> None:
    # spec: E3
    loads = InstanceGauges(3, 8)
    refused, late = NUMBERS["connection_refused"], NUMBERS["http_response_timeout"]
    for slot, figures in enumerate(((1, 0, 0, 1, late, 50), (1, 1, 0, 0, refused, 40), (1, 1, 0, 0, 0, 0))):
        loads.page(slot).store(digest([SHOP]), array("i", figures))
    assert loads.total([SHOP], range(3)) == [InstanceLoad(3, 2, 0, 1, "http_response_timeout", 50)]


@pytest.mark.parametrize("names", [[SHOP], [OTHER, SHOP], [STAGE, OTHER], [SHOP, OTHER, STAGE], []])
def test_who_has_another_configuration_is_left_out(names: list[Name]) -> None:
    loads = InstanceGauges(2, 8)
    tell(loads, 0, [SHOP, OTHER], 1, 1, 7, 1, 1, 2)
    tell(loads, 1, names, *[1] * (3 * len(names)))
    assert loads.total([SHOP, OTHER], range(2)) == [InstanceLoad(1, 1, 7), InstanceLoad(1, 1, 2)]
    assert loads.total(names, range(2)) == [InstanceLoad(1, 1, 1)] * len(names)


def test_room_that_nobody_uses_costs_nothing() -> None:
    # spec: R3: a hundred thousand instances, and as many slots as there may be
    memory = os.memfd_create("loads")
    loads = InstanceGauges(2048, 200_000, memory)
    tell(loads, 2047, [SHOP], 1, 1, 7)
    assert loads.total([SHOP], range(2040, 2048)) == [InstanceLoad(1, 1, 7)]
    found = os.fstat(memory)
    os.close(memory)
    assert found.st_size > 4_000_000_000
    assert found.st_blocks * 512 < 1_000_000


def test_names_do_not_run_together() -> None:
    assert digest([("a", "b", "cd")]) != digest([("a", "bc", "d")])
    assert digest([("a", "b", "c"), ("d", "e", "f")]) == digest(iter([("a", "b", "c"), ("d", "e", "f")]))


def test_more_than_there_is_room_for_are_not_told() -> None:
    loads = InstanceGauges(2, 1)
    tell(loads, 0, [SHOP], 1, 1, 7)
    tell(loads, 1, [SHOP], 1, 1, 2)
    tell(loads, 0, [SHOP, OTHER], 1, 1, 7, 1, 1, 2)
    assert loads.total([SHOP, OTHER], range(2)) == []
    assert loads.total([SHOP], range(2)) == [InstanceLoad(1, 1, 2)]  # what it told before is not so any more
