"""The same instance for the same key, as long as it exists and is not overloaded.

Rendezvous hashing: key and instance together make a score, and the highest one wins (Thaler and Ravishankar, 1998). An
instance that goes loses only its own keys, a new one takes an equal share from each; there is no table to build, and
workers, reloads and other machines agree without communication. Bounded load (Mirrokni, Thorup and Zadimoghaddam,
2016): an instance that already serves a quarter more than the mean is skipped, so that one popular key does not
overload its instance.
"""

from __future__ import annotations

from hashlib import blake2b

from lb.routing.balancers.balancer import Balancer
from lb.routing.instance import Instance

_BOUND = 1.25  # times the mean number of requests that an instance may serve before its keys go elsewhere

_MASK = 0xFFFFFFFFFFFFFFFF
_FIRST = 0xBF58476D1CE4E5B9  # the two factors of splitmix64's finalizer (Steele, Lea and Flood, 2014)
_SECOND = 0x94D049BB133111EB


class ConsistentHash(Balancer):
    """Scores the instances for a key; keeps nothing."""

    __slots__ = ()

    def pick(
        self, instances: list[Instance], tried: list[Instance] | None, key: bytes | None, now: float
    ) -> Instance | None:
        ready = busy = 0
        for instance in instances:
            if instance.may_serve(tried, now):
                ready += 1
                busy += instance.inflight
        if ready == 0:
            return None
        bound = _BOUND * (busy + 1) / ready  # the least busy one is always below it
        hashed = key_hash(key or b"")
        best = None
        score = highest = 0
        for instance in instances:
            if instance.inflight < bound and instance.may_serve(tried, now):
                score = mixed(hashed ^ instance.seed)
                if best is None or score > highest:
                    best = instance
                    highest = score
        return best


def key_hash(key: bytes) -> int:
    """64 bits of a key, the same everywhere; Python's own `hash` differs between processes."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")


def mixed(number: int) -> int:
    """64 bits in, 64 bits out; every output bit depends on every input bit."""
    number = (number ^ number >> 30) * _FIRST & _MASK
    number = (number ^ number >> 27) * _SECOND & _MASK
    return number ^ number >> 31
