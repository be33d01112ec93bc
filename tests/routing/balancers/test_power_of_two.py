"""Two instances by lot, and the one of them that serves less (F1)."""

from __future__ import annotations

from lb.routing.balancers.power_of_two import PowerOfTwo
from tests.routing.instances import NOW, make, picks, serving


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
