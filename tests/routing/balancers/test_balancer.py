"""Which instance is picked: what holds for every balancer (F1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.routing.balancers.balancer import Balancer
from lb.routing.balancers.consistent_hash import ConsistentHash
from lb.routing.balancers.least_connections import LeastConnections
from lb.routing.balancers.power_of_two import PowerOfTwo
from lb.routing.balancers.round_robin import RoundRobin
from lb.routing.balancers.sticky import Sticky
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
            "rising": st.booleans(),
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
        if state["rising"]:
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
