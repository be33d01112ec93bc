"""The board: what a reader in another process sees."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lb.process.scoreboard import MOST_SLOTS, Board, WorkerState
from tests.e2e.harness.door import command_environment


def test_a_slot_goes_from_empty_to_ready_and_back() -> None:
    board = Board(2)
    assert not board.ready()
    for slot in (0, 1):
        board.fill(slot, 100 + slot)
    assert not board.ready()
    board.set_ready(0)
    board.set_ready(1)
    assert board.ready()
    board.clear(1)
    assert not board.ready()
    board.fill(1, 103)
    first, second = board.workers()
    assert (first.pid, first.restarts, first.ready) == (100, 0, True)
    assert second == WorkerState(1, 103, second.since, 1, ready=False)


def test_another_number_of_workers_is_another_set_of_slots() -> None:
    board = Board(3)
    for slot in range(3):
        board.fill(slot, 100 + slot)
        board.set_ready(slot)
    board.assign((0, 7))
    assert board.serving == 2
    assert not board.ready()
    board.fill(7, 200)
    board.set_ready(7)
    assert board.ready()
    assert [(worker.slot, worker.retiring) for worker in board.workers()] == [
        (0, False),
        (1, True),
        (2, True),
        (7, False),
    ]
    board.clear(1)
    board.clear(2)
    assert [worker.slot for worker in board.workers()] == [0, 7]


def test_who_comes_into_a_slot_after_a_reload_was_not_restarted() -> None:
    board = Board(2)
    for pid in (100, 101):
        board.fill(1, pid)
    assert board.workers()[1].restarts == 1
    board.assign((0,))
    board.clear(1)
    board.assign((0, 1))
    board.fill(1, 102)
    assert board.workers()[1].restarts == 0


@pytest.mark.parametrize("slots", [(MOST_SLOTS,), (-1,)])
def test_there_are_only_so_many_slots(slots: tuple[int, ...]) -> None:
    with pytest.raises(IndexError):
        Board(1).assign(slots)


def test_draining_is_never_ready() -> None:
    board = Board(1)
    board.fill(0, 1)
    board.set_ready(0)
    board.drain()
    assert not board.ready()


_FORK = """
import os
from lb.process.scoreboard import Board
board = Board(1)
reading, writing = os.pipe()
if (child := os.fork()) == 0:
    os.read(reading, 1)
    os._exit(0 if board.workers()[0].pid == 4711 and board.supervisor == os.getppid() else 1)
board.fill(0, 4711)
os.write(writing, b"x")
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_another_process_sees_what_is_written_after_the_fork() -> None:
    ended = subprocess.run([sys.executable, "-c", _FORK], check=False, env=command_environment())
    assert ended.returncode == 0
