"""Instances without sockets, and what a balancer makes of them."""

from __future__ import annotations

import socket
from collections import Counter

from lb.routing.balancers.balancer import Balancer
from lb.routing.instance import Instance

NOW = 1000.0


def make(count: int, limit: int = 0) -> list[Instance]:
    """Instances at 10.0.0.1, 10.0.0.2, …"""
    return [
        Instance(f"10.0.0.{number}:80", socket.AF_INET, (f"10.0.0.{number}", 80), limit)
        for number in range(1, count + 1)
    ]


def picks(balancer: Balancer, instances: list[Instance], count: int, now: float = NOW) -> Counter[str]:
    """How often each instance is picked when every request is over before the next one comes."""
    found: Counter[str] = Counter()
    for number in range(count):
        instance = balancer.pick(instances, None, b"key %d" % number, now)
        assert instance is not None
        found[instance.key] += 1
    return found


def serving(
    balancer: Balancer, instances: list[Instance], count: int, concurrency: int, now: float = NOW
) -> Counter[str]:
    """How often each instance is picked when always `concurrency` requests are under way, oldest done first."""
    found: Counter[str] = Counter()
    under_way: list[Instance] = []
    for number in range(count):
        instance = balancer.pick(instances, None, b"key %d" % number, now)
        assert instance is not None
        found[instance.key] += 1
        instance.inflight += 1
        under_way.append(instance)
        if len(under_way) > concurrency:
            under_way.pop(0).inflight -= 1
    for instance in under_way:
        instance.inflight -= 1
    return found
