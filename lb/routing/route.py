"""All that is decided about a domain at load time, and the environment that it leads to.

Environments live in the registry and outlast configurations; routes are made anew with each. Knows no connection.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lb.routing.balancer import Balancer
from lb.routing.instance import Instance


@dataclass(frozen=True, slots=True)
class Compression:
    """When and how responses are compressed (C1): codings in order of preference, bytes of the smallest body, media
    types.
    """

    codings: tuple[bytes, ...]
    min_size: int
    types: frozenset[bytes]


class Environment:
    """Production or staging of an app: its instances, the balancer over them, and who waits for one of them."""

    __slots__ = ("app", "balancer", "instances", "name", "waiting")

    def __init__(self, app: str, name: str, instances: list[Instance], balancer: Balancer) -> None:
        self.app = app.encode()
        self.name = name.encode()
        self.instances = instances
        self.balancer = balancer
        self.waiting: deque[object] = deque()

    def pick(self, tried: list[Instance] | None, now: float) -> Instance | None:
        """The next instance that may serve; where all are passed over for past failures, the one whose turn is
        nearest.
        """
        instance = self.balancer.pick(self.instances, tried, now)
        if instance is not None:
            return instance
        nearest = None
        for other in self.instances:
            if (
                other.healthy
                and other.down_until > now
                and (other.limit == 0 or other.inflight < other.limit)
                and (tried is None or other not in tried)
                and (nearest is None or other.down_until < nearest.down_until)
            ):
                nearest = other
        return nearest

    def is_full(self, tried: list[Instance] | None) -> bool:
        """Whether only the bound on concurrent requests keeps an instance from being picked."""
        for other in self.instances:
            if (
                other.healthy
                and other.limit
                and other.inflight >= other.limit
                and (tried is None or other not in tried)
            ):
                return True
        return False


class Route:
    """What holds for a bound domain, and for every other that is treated alike: with 10,000 domains, one object in the
    processor's cache instead of 10,000. `body_cap` is in bytes; `compression` is None where it is off; `client_auth` is
    the domain, as it is bound, that a connection must have been verified for, None where clients need no certificate.
    """

    __slots__ = ("body_cap", "cdn", "client_auth", "compression", "environment", "force_https")

    def __init__(self, environment: Environment, body_cap: int) -> None:
        self.environment = environment
        self.body_cap = body_cap
        self.force_https = False
        self.cdn = False
        self.compression: Compression | None = None
        self.client_auth: bytes | None = None
