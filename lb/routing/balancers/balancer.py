"""The interface of all balancers: one class per algorithm, one algorithm per file.

A balancer sees instances, the key of the request if its kind uses one, and the clock; it knows nothing of requests,
connections or configurations. It belongs to one environment of one worker: it counts only this worker's activity.
"""

from __future__ import annotations

from lb.routing.instance import Instance


class Balancer:
    """Chooses an instance."""

    __slots__ = ()

    def pick(
        self, instances: list[Instance], tried: list[Instance] | None, key: bytes | None, now: float
    ) -> Instance | None:
        """An instance that is ready and not among `tried`, or None if there is none.

        `key` is what the environment takes from requests (a cookie, an address, …), None if it takes nothing; `now` is
        in seconds of the monotonic clock. The instance may be one that is only full: then it is worth waiting for.
        """
        raise NotImplementedError
