"""The instance that served a client before, as its cookie says; clients without one get each in turn.

The cookie names an instance by its token, which reveals nothing without the secret behind it. If the instance has
failed, the client moves to the next; if it is merely full, the request waits for it, since no other has the client's
session.
"""

from __future__ import annotations

from lb.routing.balancers.balancer import Balancer
from lb.routing.balancers.round_robin import RoundRobin
from lb.routing.instance import Instance


class Sticky(Balancer):
    """Looks for the token in the request's cookie."""

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
