"""Bytes on disk over all workers: one limit for all, and nothing left of a worker that was killed."""

from __future__ import annotations

import os

from lb.routing.buffered_bytes import BufferedBytes


def in_another_process(cells: BufferedBytes, slot: int, size: int, limit: int) -> bool:
    """What a worker in this slot is told that takes `size`; it then ends without giving anything back."""
    pid = os.fork()
    if pid == 0:
        cells.begin(slot)
        os._exit(0 if cells.take(size, limit) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# spec: F6
def test_the_limit_holds_over_all_workers() -> None:
    cells = BufferedBytes()
    cells.begin(0)
    assert cells.take(60, 100)
    assert not in_another_process(cells, 1, 41, 100)
    assert in_another_process(cells, 1, 40, 100)
    assert (cells.total(), cells.own()) == (100, 60)
    assert not cells.take(1, 100)
    cells.give_back(60)
    assert cells.take(60, 100)


# spec: F6
def test_the_successor_of_a_killed_worker_begins_at_nothing() -> None:
    cells = BufferedBytes()
    cells.begin(0)
    assert in_another_process(cells, 1, 100, 100)
    assert not cells.take(1, 100)
    assert in_another_process(cells, 1, 0, 100)
    assert cells.take(100, 100)


def test_a_worker_that_is_replaced_counts_by_itself() -> None:
    cells = BufferedBytes()
    cells.begin(3)
    assert cells.take(70, 100)
    cells.detach()
    assert cells.own() == cells.total() == 70
    assert in_another_process(cells, 3, 100, 200)
    cells.give_back(70)
    assert cells.total() == 0


def test_what_is_given_back_twice_leaves_no_debt() -> None:
    cells = BufferedBytes()
    assert cells.take(1, 10)
    cells.give_back(2)
    assert cells.total() == 0
