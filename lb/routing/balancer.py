"""How the next instance is chosen: one class an algorithm behind one small interface.

A balancer sees instances and the clock, and nothing of requests or connections.
"""

from __future__ import annotations

from lb.routing.instance import Instance


class Balancer:
    """Chooses an instance."""

    __slots__ = ()

    def pick(self, instances: list[Instance], tried: list[Instance] | None, now: float) -> Instance | None:
        """An instance that is ready, has room and is not among `tried`; None when there is none."""
        raise NotImplementedError


class RoundRobin(Balancer):
    """Each in turn (F1)."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def pick(self, instances: list[Instance], tried: list[Instance] | None, now: float) -> Instance | None:
        size = len(instances)
        at = self._next
        for _ in range(size):
            if at >= size:
                at = 0
            instance = instances[at]
            at += 1
            if (
                instance.healthy
                and instance.down_until <= now
                and (instance.limit == 0 or instance.inflight < instance.limit)
                and (tried is None or instance not in tried)
            ):
                self._next = at
                return instance
        return None
