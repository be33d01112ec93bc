"""What predecessors counted is part of the totals: while they live, and when they are gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lb.control.upgrade.counters import read_back, write_down
from lb.process.memfd import new_memory
from lb.telemetry.counters import INDEX, NAMES, Slab


@pytest.fixture
def slab() -> Iterator[Slab]:
    """A predecessor's, with 7 requests in two rows and 3 open connections."""
    slab = Slab(4, new_memory())
    slab.row(0).store(counts(requests_total=5, connections_open=1))
    slab.row(2).store(counts(requests_total=2, connections_open=2))
    yield slab
    os.close(slab.memory)


@pytest.fixture(scope="module")
def nobody() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def counts(**values: int) -> list[int]:
    row = [0] * len(NAMES)
    for name, value in values.items():
        row[INDEX[name]] = value
    return row


def handed_over(slab: Slab, **changed: object) -> Slab:
    """The successor's slab."""
    text, memories = write_down(slab)
    said = json.loads(text)
    assert memories == tuple(entry["memory"] for entry in said["slabs"])
    said["slabs"][0].update(changed)
    return Slab(4, new_memory(), read_back(json.dumps(said).encode()))


def shown(slab: Slab) -> tuple[int, int]:
    total = slab.total()
    return total["requests_total"], total["connections_open"]


def test_who_lives_still_counts(slab: Slab) -> None:
    successor = handed_over(slab)
    successor.row(0).store(counts(requests_total=10, connections_open=1))
    assert shown(successor) == (17, 4)
    slab.row(2).store(counts(requests_total=3))
    assert shown(successor) == (18, 2)
    assert shown(slab) == (8, 1)


def test_who_has_gone_has_no_present(slab: Slab, nobody: int) -> None:
    successor = handed_over(slab, owner=nobody)
    assert shown(successor) == (7, 0)
    text, memories = write_down(successor)
    said = json.loads(text)
    assert (said["settled"]["requests_total"], "connections_open" in said["settled"]) == (7, False)
    assert memories == (successor.memory,)
    assert shown(handed_over(successor)) == (7, 0)


def test_three_generations(slab: Slab) -> None:
    second = handed_over(slab)
    second.row(1).store(counts(requests_total=100))
    third = handed_over(second)
    third.row(1).store(counts(requests_total=1000, connections_open=1))
    slab.row(0).store(counts(requests_total=6))
    assert shown(third) == (1108, 3)


def test_another_version_counts_other_things(slab: Slab, nobody: int) -> None:
    # What is responses_1xx here was something else with the predecessor.
    names = ["dances_total" if name == "responses_1xx" else name for name in NAMES]
    slab.row(1).store(counts(responses_1xx=4))
    successor = handed_over(slab, owner=nobody, names=names)
    assert successor.total()["requests_total"] == 7
    assert successor.total()["responses_1xx"] == 0
    said = json.loads(write_down(successor)[0])
    assert said["settled"]["dances_total"] == 4
    assert json.loads(write_down(handed_over(successor))[0])["settled"]["dances_total"] == 4


def test_more_rows_than_there_can_be_are_not_read(slab: Slab) -> None:
    successor = handed_over(slab)
    memory = successor.earlier.ledgers[0].memory
    os.pwrite(memory, (1 << 40).to_bytes(8, sys.byteorder), 0)
    assert shown(successor) == (7, 3)


def test_what_is_handed_over_is_not_for_programs_that_are_started(slab: Slab) -> None:
    os.set_inheritable(slab.memory, True)
    assert not os.get_inheritable(handed_over(slab).earlier.ledgers[0].memory)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"7",
        b"{}",
        b'{"settled": {"requests_total": "many"}, "slabs": []}',
        b'{"settled": {}, "slabs": [{"owner": 1}]}',
        b'{"settled": {}, "slabs": [{"owner": 1, "memory": -1, "names": [], "gauges": []}]}',
    ],
)
def test_nonsense_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError, OSError)):
        read_back(text)
