"""The instance that a client was served by before, as its cookie says; for a client without one, each in turn.

The cookie names an instance by its token, which tells nothing to those who do not know the secret behind it. An
instance that has failed is left, and the client sticks to the next; one that is merely full is waited for, since what
it remembers of the client is on no other.
"""

from __future__ import annotations

from lb.routing.balancers.balancer import Balancer
from lb.routing.balancers.round_robin import RoundRobin
from lb.routing.instance import Instance


class Sticky(Balancer):
    """Looks for the token that the request's cookie holds."""

    __slots__ = ("_others",)

    def __init__(self) -> None:
        self._others = RoundRobin()

    def pick(
        self, instances: list[Instance], tried: list[Instance] | None, key: bytes | None, now: float
    ) -> Instance | None:
        if key:
            for instance in instances:
                if instance.token == key:
                    if instance.is_up(now) and (tried is None or instance not in tried):
                        return instance
                    break
        return self._others.pick(instances, tried, None, now)
