"""What every way of choosing an instance has in common: one class an algorithm, one algorithm a file.

A balancer sees instances, the key of the request where its kind has one, and the clock; it knows nothing of requests,
connections or configurations. It belongs to one environment of one worker: what it counts is what this worker does.
"""

from __future__ import annotations

from lb.routing.instance import Instance


class Balancer:
    """Chooses an instance."""

    __slots__ = ()

    def pick(
        self, instances: list[Instance], tried: list[Instance] | None, key: bytes | None, now: float
    ) -> Instance | None:
        """An instance that is ready and not among `tried`, or None where there is none.

        `key` is what the environment was told to take from requests (a cookie, an address, …), None where it takes
        nothing; `now` is in seconds of the monotonic clock. The instance may be one that is only full: then it is
        worth waiting for.
        """
        raise NotImplementedError
