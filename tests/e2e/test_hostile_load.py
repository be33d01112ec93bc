"""Hostile clients beside a well-behaved one, who must hardly notice: its latency, the worker's memory and descriptors.

Every attack is one of `benchmarks.hostile`, smaller and shorter; `python -m benchmarks.hostile` prints the table of all
figures at full size. The figures are the compiled engine's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.hostile.attacker import Target
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.door import under_attack
from benchmarks.hostile.witness import Result, measure
from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.door import FrontDoor

# spec: F3, L4, L5; attacks 31, 32, 33

KIB = 1024
_SECONDS = 0.6
# Seconds that the median and the slowest hundredth may take longer: this machine has other things to do meanwhile.
_SLACK, _LATE = 0.1, 1.0
_FACTOR = 8


@dataclass(frozen=True, slots=True)
class Bound:
    """So many connections, and the most memory that each may cost, in KiB."""

    size: int
    memory: int


_BOUNDS = {
    "slow_heads": Bound(400, 8),
    "slow_bodies": Bound(400, 16),
    "slow_readers": Bound(60, 300),
    "half_open": Bound(400, 8),
    "idle": Bound(400, 8),
    "silent": Bound(400, 8),
    "tiny_requests": Bound(40, 300),
    "pipelined_refusals": Bound(40, 300),
    "unread_answers": Bound(40, 300),
    "tiny_chunks": Bound(40, 300),
    "field_bombs": Bound(40, 500),
    "cookie_bombs": Bound(40, 600),
    "decompression_bombs": Bound(40, 400),
    "connect_and_leave": Bound(50, 16),
    "dropped_handshakes": Bound(40, 100),
    "stalled_handshakes": Bound(200, 120),
    "key_updates": Bound(40, 100),
    "http2_rapid_resets": Bound(20, 300),
    "http2_made_resets": Bound(20, 300),
    "http2_continuations": Bound(20, 100),
    "http2_small_large_heads": Bound(20, 2000),
    "http2_held_heads": Bound(20, 3000),
    "http2_control_frames": Bound(20, 100),
    "http2_dribbles": Bound(20, 300),
    "http2_shut_windows": Bound(20, 2000),
    "http2_many_requests": Bound(20, 1000),
}
_SHARED = 6 << 20  # bytes that a worker may grow by whatever comes: buffers for all, pools, fragments


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[tuple[FrontDoor, Target]]:
    with under_attack(tmp_path_factory.mktemp("hostile"), authority) as opened:
        yield opened


def _assert_harmless(result: Result, memory: int) -> None:
    """`memory` is what a connection may cost, in bytes."""
    before, during = result.before, result.during
    figures = (
        f"{result.name}: {result.connections} connections, {result.sent} bytes sent, {result.answers} answers; "
        f"p99 {1000 * before.quantile(0.99):.1f} ms before, {1000 * during.quantile(0.99):.1f} during; "
        f"memory grew by {result.growth >> 10} KiB; descriptors back after {result.calm} s"
    )
    print(figures)
    assert result.connections >= 1, figures
    assert during.failures == 0, figures
    assert during.quantile(0.5) < _FACTOR * before.quantile(0.5) + _SLACK, figures
    assert during.quantile(0.99) < _FACTOR * before.quantile(0.99) + _LATE, figures
    assert result.growth < _SHARED + result.size * memory, figures
    assert result.calm is not None, figures


def test_every_attack_has_a_bound() -> None:
    assert _BOUNDS.keys() == ATTACKS.keys()


@pytest.mark.parametrize("name", ATTACKS)
def test_others_do_not_suffer(attacked: tuple[FrontDoor, Target], name: str) -> None:
    door, target = attacked
    bound = _BOUNDS[name]
    result = measure(name, ATTACKS[name], bound.size, target, door.workers[:1], _SECONDS)
    _assert_harmless(result, bound.memory * KIB)


def test_five_thousand_idle_connections(tmp_path: Path, authority: Authority) -> None:
    with under_attack(tmp_path, authority) as (door, target):
        result = measure("idle", ATTACKS["idle"], 5000, target, door.workers[:1], _SECONDS)
        assert result.connections == result.answers == 5000
        assert result.growth < 5000 * 2 * KIB + (2 << 20), f"{result.growth / 5000:.0f} bytes a connection"
        _assert_harmless(result, 2 * KIB)


def test_slow_heads_that_fill_every_place_do_not_keep_others_out(tmp_path: Path, authority: Authority) -> None:
    # spec: L5; attack 32: more of them than there may be connections
    with under_attack(tmp_path, authority, limits={"connections": 200}) as (door, target):
        result = measure("slow_heads", ATTACKS["slow_heads"], 190, target, door.workers[:1], _SECONDS)
        _assert_harmless(result, 8 * KIB)
        flood = measure("connect_and_leave", ATTACKS["connect_and_leave"], 300, target, door.workers[:1], _SECONDS)
        assert flood.during.latencies
        assert door.process.poll() is None
