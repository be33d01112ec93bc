"""The instance that a client was served by before, as its token says (F1)."""

from __future__ import annotations

from lb.routing.balancers.sticky import Sticky
from tests.routing.instances import NOW, make


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
