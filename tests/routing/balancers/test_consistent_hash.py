"""The same instance for the same key, within the bound of its load (F1)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.routing.balancers.consistent_hash import ConsistentHash, key_hash, mixed
from lb.routing.instance import Instance
from tests.routing.instances import NOW, make

KEYS = [b"/page/%d" % number for number in range(4000)]


def owners(instances: list[Instance]) -> dict[bytes, str]:
    balancer = ConsistentHash()
    found = {}
    for key in KEYS:
        picked = balancer.pick(instances, None, key, NOW)
        assert picked is not None
        found[key] = picked.key
    return found


def test_the_same_key_goes_to_the_same_instance_whoever_asks_and_in_whatever_order() -> None:
    # spec: F1
    instances = make(7)
    assert owners(instances) == owners(make(7)) == owners(instances[::-1])


@pytest.mark.parametrize("gone", range(5))
def test_who_goes_takes_only_its_own_keys(gone: int) -> None:
    # spec: F1
    instances = make(5)
    before, after = owners(instances), owners(instances[:gone] + instances[gone + 1 :])
    moved = [key for key in KEYS if before[key] != after[key]]
    assert moved == [key for key in KEYS if before[key] == instances[gone].key]
    spread = Counter(after[key] for key in moved)
    assert len(spread) == 4
    assert max(spread.values()) < 2 * min(spread.values())


def test_who_is_down_is_as_good_as_gone_and_gets_its_keys_back() -> None:
    # spec: F1
    instances = make(5)
    before = owners(instances)
    instances[2].down_until = NOW + 1
    assert owners(instances) == owners(instances[:2] + instances[3:])
    instances[2].down_until = 0.0
    assert owners(instances) == before


def test_who_comes_takes_an_equal_share() -> None:
    # spec: F1
    instances = make(5)
    before, after = owners(instances[:4]), owners(instances)
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {after[key] for key in moved} == {instances[4].key}
    assert 0.9 < len(moved) / (len(KEYS) / 5) < 1.1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.binary(max_size=8))
def test_the_load_of_one_is_bounded(loads: list[int], key: bytes) -> None:
    # spec: F1
    instances = make(len(loads))
    for instance, load in zip(instances, loads, strict=True):
        instance.inflight = load
    picked = ConsistentHash().pick(instances, None, key, NOW)
    assert picked is not None
    assert picked.inflight < 1.25 * (sum(loads) + 1) / len(loads)


def test_one_popular_key_does_not_bury_its_instance() -> None:
    # spec: F1
    balancer, instances = ConsistentHash(), make(4)
    for _ in range(100):
        picked = balancer.pick(instances, None, b"popular", NOW)
        assert picked is not None
        picked.inflight += 1
    assert max(instance.inflight for instance in instances) <= 32  # a quarter more than 25, rounded up


def test_hashes_are_the_same_on_either_engine() -> None:
    assert key_hash(b"") == 0xE4A6A0577479B2B4
    assert mixed(1) == 0x5692161D100B05E5
    assert make(1)[0].seed == key_hash(b"10.0.0.1:80")
