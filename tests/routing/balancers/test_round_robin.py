"""Each instance in turn, and what one that comes back slowly does with its turns (F1)."""

from __future__ import annotations

from lb.routing.balancers.round_robin import RoundRobin
from tests.routing.instances import NOW, make


def test_who_may_not_serve_is_passed_over_and_keeps_its_place() -> None:
    # spec: F1
    balancer, instances = RoundRobin(), make(3)
    one, two, three = instances
    two.down_until = NOW + 1
    assert [balancer.pick(instances, None, None, NOW) for _ in range(4)] == [one, three, one, three]
    two.down_until = 0.0
    assert [balancer.pick(instances, None, None, NOW) for _ in range(3)] == [one, two, three]


def test_what_was_tried_before_has_no_turn() -> None:
    # spec: F2
    balancer, instances = RoundRobin(), make(2)
    assert balancer.pick(instances, [instances[0]], None, NOW) is instances[1]
    assert balancer.pick(instances, instances, None, NOW) is None


def test_one_that_comes_back_slowly_lets_turns_go_by_unless_nobody_else_is_there() -> None:
    # spec: F1
    balancer, instances = RoundRobin(), make(2)
    one, two = instances
    one.slow_start = 10.0
    one.came_back(NOW)
    found = [balancer.pick(instances, None, None, NOW + 1) for _ in range(20)]
    assert 1 <= found.count(one) <= 4
    assert found.count(one) + found.count(two) == 20
    assert balancer.pick([one], None, None, NOW + 1) is one
