"""Of two random instances, the one that serves fewer requests of this worker.

Nearly as even as comparing all of them, and workers that know nothing of each other do not all choose the one that
looks idle (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
"""

from __future__ import annotations

import os

from lb.routing.balancers.balancer import Balancer
from lb.routing.instance import Instance

_MASK = 0xFFFFFFFFFFFFFFFF


class PowerOfTwo(Balancer):
    """Draws from a generator of its own (Marsaglia's xorshift, 64 bits); `_state` is 0 until the first draw, so that
    each worker seeds its own.
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int = 0) -> None:
        self._state = seed

    def pick(
        self, instances: list[Instance], tried: list[Instance] | None, _key: bytes | None, now: float
    ) -> Instance | None:
        ready = 0
        for instance in instances:
            if instance.may_serve(tried, now):
                ready += 1
        if ready < 2:
            return self._one_of(instances, tried, now, 0)
        first = self._below(ready)
        second = self._below(ready - 1)
        if second >= first:
            second += 1
        one = self._one_of(instances, tried, now, first)
        other = self._one_of(instances, tried, now, second)
        if one is None or other is None:
            return one
        if other.load(now) < one.load(now):
            one, other = other, one
        return one if not one.ramping or one.takes_turn(now) else other

    def _one_of(
        self, instances: list[Instance], tried: list[Instance] | None, now: float, place: int
    ) -> Instance | None:
        """The instance at this position among those that may serve."""
        for instance in instances:
            if instance.may_serve(tried, now):
                if place == 0:
                    return instance
                place -= 1
        return None

    def _below(self, bound: int) -> int:
        """A uniformly random number from 0 to `bound` - 1."""
        state = self._state
        while state == 0:  # which the generator would never leave
            state = int.from_bytes(os.urandom(8), "big")
        state ^= state << 13 & _MASK
        state ^= state >> 7
        state ^= state << 17 & _MASK
        self._state = state
        return (state >> 32) * bound >> 32
