"""How an environment chooses among its instances and rates their failures: the part that a configuration sets.

A policy is made anew with each configuration and compared with the previous one: state is kept where it is unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.routing.balancers.balancer import Balancer
from lb.routing.balancers.consistent_hash import ConsistentHash
from lb.routing.balancers.least_connections import LeastConnections
from lb.routing.balancers.power_of_two import PowerOfTwo
from lb.routing.balancers.round_robin import RoundRobin
from lb.routing.balancers.sticky import Sticky
from lb.routing.outlier import Unhealthy
from lb.routing.request_key import HashKey, RequestKey, StickyKey
from lb.routing.sticky_cookie import StickyCookie

_BALANCERS: dict[str, type[Balancer]] = {
    "round_robin": RoundRobin,
    "least_connections": LeastConnections,
    "power_of_two": PowerOfTwo,
    "consistent_hash": ConsistentHash,
    "sticky": Sticky,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """An environment's settings.

    `balance` names the balancer; `hash_on` is set for consistent_hash, `cookie` for sticky. An instance that failed
    `max_fails` times in a row is passed over for `fail_duration` seconds at first, and comes back within `slow_start`
    seconds (0: at once). `retries` is the share of requests that may be sent again, None for any. Without `keep_alive`
    a connection to an instance serves one request; `send_proxy` is the version of the PROXY header that it begins with,
    0 for none.
    """

    balance: str = "round_robin"
    hash_on: HashKey | None = None
    cookie: StickyCookie | None = None
    max_fails: int = 1
    fail_duration: float = 1.0
    unhealthy: Unhealthy | None = None
    slow_start: float = 0.0
    retries: float | None = 0.2
    keep_alive: bool = True
    send_proxy: int = 0

    def balancer(self) -> Balancer:
        """A new balancer of this kind."""
        return _BALANCERS[self.balance]()

    def key(self) -> RequestKey | None:
        """Extracts the balancer's key from a request."""
        return self.hash_on if self.cookie is None else StickyKey(self.cookie.name)
