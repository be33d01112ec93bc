"""The instance that serves the fewest requests of this worker; several equal ones take turns.

Suits requests of very different duration: a slow instance collects requests and is chosen less.
"""

from __future__ import annotations

from lb.routing.balancers.balancer import Balancer
from lb.routing.instance import Instance


class LeastConnections(Balancer):
    """Compares what the instances serve; `_next` is where the search begins, so that equal ones take turns."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def pick(
        self, instances: list[Instance], tried: list[Instance] | None, _key: bytes | None, now: float
    ) -> Instance | None:
        size = len(instances)
        at = self._next
        best = steady = None  # of all, and of those not in slow start
        load = best_load = steady_load = 0.0
        best_at = steady_at = 0
        for _ in range(size):
            if at >= size:
                at = 0
            instance = instances[at]
            at += 1
            if instance.may_serve(tried, now):
                load = instance.load(now)
                if best is None or load < best_load:
                    best, best_load, best_at = instance, load, at
                if not instance.ramping and (steady is None or load < steady_load):
                    steady, steady_load, steady_at = instance, load, at
        if best is not None and steady is not None and best.ramping and not best.takes_turn(now):
            best, best_at = steady, steady_at
        if best is not None:
            self._next = best_at
        return best
