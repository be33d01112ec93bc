"""Each instance in turn (F1): needs the least knowledge, and suits requests of similar cost."""

from __future__ import annotations

from lb.routing.balancers.balancer import Balancer
from lb.routing.instance import Instance


class RoundRobin(Balancer):
    """Remembers whose turn is next. An instance in slow start skips some of its turns."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def pick(
        self, instances: list[Instance], tried: list[Instance] | None, _key: bytes | None, now: float
    ) -> Instance | None:
        size = left = len(instances)
        at = self._next
        passed = None  # skipped its turn; better than none
        passed_at = 0
        while left > 0:
            left -= 1
            if at >= size:
                at = 0
            instance = instances[at]
            at += 1
            if instance.may_serve(tried, now):
                if not instance.ramping or instance.takes_turn(now):
                    self._next = at
                    return instance
                if passed is None:
                    passed = instance
                    passed_at = at
        if passed is not None:
            self._next = passed_at
        return passed
