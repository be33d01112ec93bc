"""What an environment is told: which balancer, and what that goes by."""

from __future__ import annotations

import pytest

from lb.routing.balancers.balancer import Balancer
from lb.routing.balancers.consistent_hash import ConsistentHash
from lb.routing.balancers.least_connections import LeastConnections
from lb.routing.balancers.power_of_two import PowerOfTwo
from lb.routing.balancers.round_robin import RoundRobin
from lb.routing.balancers.sticky import Sticky
from lb.routing.policy import Policy
from lb.routing.request_key import HashKey, StickyKey
from lb.routing.sticky_cookie import StickyCookie


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("round_robin", RoundRobin),
        ("least_connections", LeastConnections),
        ("power_of_two", PowerOfTwo),
        ("consistent_hash", ConsistentHash),
        ("sticky", Sticky),
    ],
)
def test_each_name_has_its_balancer_and_each_environment_its_own(name: str, kind: type[Balancer]) -> None:
    # spec: F1
    policy = Policy(balance=name)
    one, other = policy.balancer(), policy.balancer()
    assert type(one) is type(other) is kind
    assert one is not other


def test_what_is_taken_from_a_request() -> None:
    hash_key = HashKey("uri")
    assert Policy().key() is None
    assert Policy(balance="consistent_hash", hash_on=hash_key).key() is hash_key
    cookie = StickyCookie(b"who", b"secret", b"shop production")
    assert Policy(balance="sticky", cookie=cookie).key() == StickyKey(b"who")


def test_two_that_say_the_same_are_equal() -> None:
    # State is kept across a reload where the policy did not change.
    assert Policy(slow_start=1.0) == Policy(slow_start=1.0)
    assert Policy(slow_start=1.0) != Policy(slow_start=2.0)
