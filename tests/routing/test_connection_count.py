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
    return hash(("presence", name))


def test_the_limit_holds_for_one_worker() -> None:
    presence = ConnectionCounts()
    presence.begin(0)
    key = _key("a")
    assert [presence.arrive(key, 3) for _ in range(5)] == [True, True, True, False, False]
    assert presence.count(key) == 3
    assert presence.arrive(_key("b"), 3)
    presence.leave(key)
    assert [presence.arrive(key, 3) for _ in range(2)] == [True, False]


def test_it_holds_for_all_workers_together() -> None:
    # each worker is a fork: it has the same memory, and a sheet of its own
    presence = ConnectionCounts()
    key = _key("a")
    for slot in range(4):
        if (child := os.fork()) == 0:
            presence.begin(slot)
            done = presence.arrive(key, 3)
            os._exit(0 if done else 9)
        expected = 0 if slot < 3 else 9
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == expected
    assert presence.count(key) == 3


def test_what_a_dead_worker_counted_is_gone_with_it() -> None:
    presence = ConnectionCounts()
    presence.begin(1)
    key = _key("a")
    assert presence.arrive(key, 9)
    presence.begin(0)
    assert presence.arrive(key, 9)
    assert presence.count(key) == 2
    presence.begin(1)  # the next worker in its place
    assert presence.count(key) == 1
    presence.leave(key)  # of a connection from before: it does not go below nothing
    assert presence.count(key) == 1


def test_beyond_its_sheets_workers_share_them() -> None:
    presence = ConnectionCounts()
    presence.begin(256 + 3)
    assert presence.arrive(_key("a"), 1)
    presence.begin(4)
    assert not presence.arrive(_key("a"), 1)
    presence.begin(3)
    assert presence.arrive(_key("a"), 1)


def test_memory_that_nobody_needs_is_not_taken() -> None:
    def resident() -> int:
        found = re.search(r"^RssShmem:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    before = resident()
    presence = ConnectionCounts()
    for slot in range(64):
        presence.begin(slot)
    assert presence.count(_key("a")) == 0
    assert resident() - before < 64


@pytest.mark.parametrize("seed", range(3))
def test_it_never_counts_too_little_and_hardly_ever_too_much(seed: int) -> None:
    dice = random.Random(seed)
    presence = ConnectionCounts()
    presence.begin(0)
    here: Counter[int] = Counter()
    keys = [_key((seed, number)) for number in range(5000)]
    for _ in range(30_000):
        key = dice.choice(keys)
        if dice.random() < 0.6:
            assert presence.arrive(key, 1000)
            here[key] += 1
        elif here[key]:
            presence.leave(key)
            here[key] -= 1
    wrong = [key for key in keys if presence.count(key) != here[key]]
    assert not [key for key in wrong if presence.count(key) < here[key]]
    assert len(wrong) < len(keys) // 100
    for key in keys:
        for _ in range(here[key]):
            presence.leave(key)
    assert sum(presence.count(key) for key in keys) == 0
