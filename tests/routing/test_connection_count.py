"""Connections at once by client over several workers, which here are several sheets in one process."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from lb.routing.connection_count import ConnectionCounts

# spec: L5


def _key(name: object) -> int:
    return hash(("connection_counts", name))


def test_the_limit_holds_for_one_worker() -> None:
    counts = ConnectionCounts()
    counts.begin(0)
    key = _key("a")
    assert [counts.arrive(key, 3) for _ in range(5)] == [True, True, True, False, False]
    assert counts.count(key) == 3
    assert counts.arrive(_key("b"), 3)
    counts.leave(key)
    assert [counts.arrive(key, 3) for _ in range(2)] == [True, False]


def test_it_holds_for_all_workers_together() -> None:
    # each worker is a fork: it has the same memory, and a sheet of its own
    counts = ConnectionCounts()
    key = _key("a")
    for slot in range(4):
        if (child := os.fork()) == 0:
            counts.begin(slot)
            done = counts.arrive(key, 3)
            os._exit(0 if done else 9)
        expected = 0 if slot < 3 else 9
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == expected
    assert counts.count(key) == 3


def test_what_a_dead_worker_counted_is_gone_with_it() -> None:
    counts = ConnectionCounts()
    counts.begin(1)
    key = _key("a")
    assert counts.arrive(key, 9)
    counts.begin(0)
    assert counts.arrive(key, 9)
    assert counts.count(key) == 2
    counts.begin(1)  # the next worker in its place
    assert counts.count(key) == 1
    counts.leave(key)  # of a connection from before: it does not go below nothing
    assert counts.count(key) == 1


def test_beyond_its_sheets_workers_share_them() -> None:
    counts = ConnectionCounts()
    counts.begin(256 + 3)
    assert counts.arrive(_key("a"), 1)
    counts.begin(4)
    assert not counts.arrive(_key("a"), 1)
    counts.begin(3)
    assert counts.arrive(_key("a"), 1)


def test_memory_that_nobody_needs_is_not_taken() -> None:
    def resident() -> int:
        found = re.search(r"^RssShmem:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    before = resident()
    counts = ConnectionCounts()
    for slot in range(64):
        counts.begin(slot)
    assert counts.count(_key("a")) == 0
    assert resident() - before < 64


@pytest.mark.parametrize("seed", range(3))
def test_it_never_counts_too_little_and_hardly_ever_too_much(seed: int) -> None:
    dice = random.Random(seed)
    counts = ConnectionCounts()
    counts.begin(0)
    here: Counter[int] = Counter()
    keys = [_key((seed, number)) for number in range(5000)]
    for _ in range(30_000):
        key = dice.choice(keys)
        if dice.random() < 0.6:
            assert counts.arrive(key, 1000)
            here[key] += 1
        elif here[key]:
            counts.leave(key)
            here[key] -= 1
    wrong = [key for key in keys if counts.count(key) != here[key]]
    assert not [key for key in wrong if counts.count(key) < here[key]]
    assert len(wrong) < len(keys) // 100
    for key in keys:
        for _ in range(here[key]):
            counts.leave(key)
    assert sum(counts.count(key) for key in keys) == 0
