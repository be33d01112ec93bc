"""Which instance is picked: what holds for every balancer, and what each is for (F1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.routing.balancers.balancer import Balancer
from lb.routing.balancers.consistent_hash import ConsistentHash, key_hash, mixed
from lb.routing.balancers.least_connections import LeastConnections
from lb.routing.balancers.power_of_two import PowerOfTwo
from lb.routing.balancers.round_robin import RoundRobin
from lb.routing.balancers.sticky import Sticky
from lb.routing.instance import Instance
from tests.routing.instances import NOW, make, picks, serving

MakeBalancer = Callable[[], Balancer]
ALL: list[MakeBalancer] = [RoundRobin, LeastConnections, PowerOfTwo, ConsistentHash, Sticky]
BY_LOAD: list[MakeBalancer] = [LeastConnections, PowerOfTwo]
TAKING_TURNS: list[MakeBalancer] = [RoundRobin, LeastConnections, PowerOfTwo]

states = st.lists(
    st.fixed_dictionaries(
        {
            "healthy": st.booleans(),
            "down": st.booleans(),
            "tried": st.booleans(),
            "ramping": st.booleans(),
            "limit": st.integers(0, 3),
            "inflight": st.integers(0, 4),
        }
    ),
    max_size=6,
)


@pytest.mark.parametrize("balancer_type", ALL)
@given(states=states, keys=st.lists(st.binary(max_size=4), min_size=1, max_size=20))
def test_only_what_may_serve_is_picked_and_if_there_is_one(
    balancer_type: MakeBalancer, states: list[dict[str, int]], keys: list[bytes]
) -> None:
    # spec: F1
    instances = make(len(states))
    tried = []
    free = set()
    for instance, state in zip(instances, states, strict=True):
        instance.healthy = bool(state["healthy"])
        instance.down_until = NOW + 1 if state["down"] else 0.0
        instance.limit = state["limit"]
        instance.inflight = state["inflight"]
        instance.slow_start = 10.0
        if state["ramping"]:
            instance.came_back(NOW)
        if state["tried"]:
            tried.append(instance)
        full = state["limit"] and state["inflight"] >= state["limit"]
        if state["healthy"] and not (state["down"] or state["tried"] or full):
            free.add(instance.key)
    balancer = balancer_type()
    for key in keys:
        picked = balancer.pick(instances, tried or None, key, NOW)
        assert (picked.key in free) if free else (picked is None)  # type: ignore[union-attr]


@pytest.mark.parametrize("balancer_type", ALL)
def test_nobody_is_left_out_and_nobody_gets_much_more(balancer_type: MakeBalancer) -> None:
    # spec: F1
    found = picks(balancer_type(), make(5), 10_000)
    assert len(found) == 5
    assert max(found.values()) < 1.1 * 2000
    assert min(found.values()) > 0.9 * 2000


@pytest.mark.parametrize("balancer_type", [RoundRobin, LeastConnections])
def test_turns_are_strict(balancer_type: MakeBalancer) -> None:
    # spec: F1
    balancer, instances = balancer_type(), make(3)
    found = [balancer.pick(instances, None, None, NOW) for _ in range(9)]
    assert found == instances * 3


@pytest.mark.parametrize("balancer_type", ALL)
def test_the_set_of_instances_may_change(balancer_type: MakeBalancer) -> None:
    balancer, instances = balancer_type(), make(6)
    for size in (6, 1, 4, 0, 2, 6):
        for number in range(12):
            picked = balancer.pick(instances[:size], None, b"%d" % number, NOW)
            assert (picked in instances[:size]) if size else (picked is None)


@pytest.mark.parametrize("balancer_type", BY_LOAD)
def test_the_busier_one_is_avoided(balancer_type: MakeBalancer) -> None:
    # spec: F1
    instances = make(2)
    instances[0].inflight = 5
    assert picks(balancer_type(), instances, 50) == {instances[1].key: 50}


def test_least_connections_looks_at_all() -> None:
    instances = make(8)
    for instance in instances:
        instance.inflight = 3
    instances[5].inflight = 2
    assert picks(LeastConnections(), instances, 20) == {instances[5].key: 20}


def test_a_slow_instance_gets_less_by_its_connections() -> None:
    # spec: F1: the slow one keeps each request four times as long
    balancer, instances = LeastConnections(), make(2)
    ends: list[tuple[int, Instance]] = []
    found: Counter[str] = Counter()
    for time in range(4000):
        for end, instance in [one for one in ends if one[0] <= time]:
            instance.inflight -= 1
            ends.remove((end, instance))
        picked = balancer.pick(instances, None, None, NOW)
        assert picked is not None
        found[picked.key] += 1
        picked.inflight += 1
        ends.append((time + (40 if picked is instances[0] else 10), picked))
    assert 3.0 < found[instances[1].key] / found[instances[0].key] < 5.0


def test_power_of_two_draws_two_distinct_ones() -> None:
    instances = make(3)
    instances[0].inflight = 100  # picked only if it were drawn twice
    assert picks(PowerOfTwo(seed=7), instances, 3000)[instances[0].key] == 0


def test_power_of_two_is_drawn_by_lot_and_evenly() -> None:
    one, other = PowerOfTwo(), PowerOfTwo()
    instances = make(16)
    first = [one.pick(instances, None, None, NOW) for _ in range(64)]
    second = [other.pick(instances, None, None, NOW) for _ in range(64)]
    assert first != second  # each worker has its own luck
    found = serving(PowerOfTwo(seed=1), instances, 16_000, concurrency=64)
    assert max(found.values()) < 1.1 * 1000


def test_one_seed_one_sequence_on_either_engine() -> None:
    balancer, instances = PowerOfTwo(seed=12345), make(4)
    found = [int(str(one and one.key)[7]) for one in (balancer.pick(instances, None, None, NOW) for _ in range(20))]
    assert found == SEQUENCE


SEQUENCE = [1, 3, 2, 2, 1, 1, 1, 4, 1, 2, 1, 1, 2, 3, 1, 3, 4, 4, 3, 3]
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


def test_a_token_leads_to_its_instance() -> None:
    # spec: F1
    balancer, instances = Sticky(), make(3)
    for number, instance in enumerate(instances):
        instance.token = b"token %d" % number
    assert [balancer.pick(instances, None, b"token 1", NOW) for _ in range(5)] == [instances[1]] * 5
    for unknown in (None, b"", b"token 9"):
        assert [balancer.pick(instances, None, unknown, NOW) for _ in range(3)] == instances


def test_who_is_stuck_to_a_full_one_waits_and_to_a_failed_one_goes_elsewhere() -> None:
    # spec: F1
    balancer, instances = Sticky(), make(3, limit=1)
    instances[1].token = b"mine"
    instances[1].inflight = 1
    assert balancer.pick(instances, None, b"mine", NOW) is instances[1]
    assert balancer.pick(instances, [instances[0]], b"mine", NOW) is instances[1]
    assert balancer.pick(instances, [instances[1]], b"mine", NOW) in (instances[0], instances[2])
    instances[1].down_until = NOW + 1
    assert balancer.pick(instances, None, b"mine", NOW) in (instances[0], instances[2])
    instances[1].down_until, instances[1].healthy = 0.0, False
    assert balancer.pick(instances, None, b"mine", NOW) in (instances[0], instances[2])


@pytest.mark.parametrize("balancer_type", TAKING_TURNS)
@pytest.mark.parametrize("concurrency", [0, 40])
def test_a_share_grows_when_an_instance_comes_back(balancer_type: MakeBalancer, concurrency: int) -> None:
    # spec: F1
    instances = make(4)
    for instance in instances:
        instance.slow_start = 10.0
    instances[2].came_back(NOW)
    shares = []
    for after in (0.0, 2.5, 5.0, 7.5, 9.9, 10.0):
        found = serving(balancer_type(), instances, 2000, concurrency, NOW + after)
        shares.append(found[instances[2].key] / 500)
    assert shares == sorted(shares) or max(abs(a - b) for a, b in zip(shares, sorted(shares), strict=True)) < 0.1
    assert 0.03 < shares[0] < 0.35
    assert 0.3 < shares[2] < 0.8
    assert shares[-1] > 0.9
    assert not instances[2].ramping


@pytest.mark.parametrize("balancer_type", TAKING_TURNS)
def test_when_all_come_back_at_once_all_serve(balancer_type: MakeBalancer) -> None:
    instances = make(4)
    for instance in instances:
        instance.slow_start = 10.0
        instance.came_back(NOW)
    found = picks(balancer_type(), instances, 1000)
    assert min(found.values()) > 150
