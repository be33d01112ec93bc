"""The instance that serves least: all of them are looked at (F1)."""

from __future__ import annotations

from collections import Counter

from lb.routing.balancers.least_connections import LeastConnections
from lb.routing.instance import Instance
from tests.routing.instances import NOW, make, picks


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
