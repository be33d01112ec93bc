"""One address of an app, and its live state, which outlives a configuration.

Passive failover (F1): an instance that fails is passed over for a while that grows each time, then gets one request to
prove that it works, and returns if that succeeds; with `slow_start` its share then grows from little to full. What
counts as a failure is `outlier`'s business. Knows no socket; time is passed in, in seconds of the monotonic clock.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from hashlib import blake2b

from lb.routing.instance_tls import InstanceTls

SAFE_IDLE = 1.0
"""Seconds for which an idle connection counts as safe for a request that must not be repeated: half of gunicorn's 2 s,
the shortest keep-alive of the usual servers."""


PROOF = 0.05
"""Seconds that an idle connection has to stay open before the instance counts as one that keeps them."""

_LEAST_SHARE = 0.1  # the part of its share with which an instance starts when it comes back slowly

MOST_IDLE = 256
"""Idle connections that are kept per instance."""

_DOUBLINGS = 8  # of a pause, at most: they reach their limit long before


class Instance:
    """An instance: its address, and its state.

    `key` is its address as configured; `idle` the pooled connections, newest last, at most `most_idle`; `connections`
    all that are open, including idle ones and those being made or closed; `inflight` the exchanges that it is serving;
    `limit` how many connections it may have at once (0: any number), and so how many requests it may serve;
    `keep_alive` for how many seconds an idle connection is trusted; `keeps_idle` says that one has been seen to stay
    open at all; `retired` that its environment is done with it: what it serves ends well, and nothing returns to its
    pool.

    `healthy` says that active checks let it serve: it `passes` them, or it `answers` them with a status that does not
    pass, and no other instance passes. `failures` counts those in a row; `failing` says that they were enough to pass
    it over, and nothing has worked since: `cause` is that of the last one, at `failed_at`, and is kept when it works
    again. `on_change` is called when `failing` changes. `down_until` is 0 while it works, else the time at which it
    gets a chance to prove that it works again; `pauses` counts how often in a row that failed, and `pause` is the
    length of the last one. `ramping` says that its share is still growing, since `since`. `token` names it in cookies,
    `seed` in hashes.

    `served` counts the requests that it was given, `seconds` is for how long they waited for its answers to begin,
    `faults` how many failed, `tunnels` how many of those that it is serving have become tunnels. `identity` is the
    engine's name for one that is deployed. `tls` is how connections to it are secured, None for plain HTTP; `alternate`
    another family and address that it may listen on, None if there is only one.
    """

    __slots__ = (
        "address",
        "alternate",
        "answers",
        "cause",
        "connections",
        "credit",
        "down_until",
        "failed_at",
        "failing",
        "failures",
        "family",
        "faults",
        "healthy",
        "identity",
        "idle",
        "inflight",
        "keep_alive",
        "keeps_idle",
        "key",
        "label",
        "limit",
        "most_idle",
        "on_change",
        "packed",
        "passes",
        "pause",
        "pauses",
        "ramping",
        "retired",
        "seconds",
        "seed",
        "served",
        "since",
        "slow_start",
        "tls",
        "token",
        "trying",
        "tunnels",
    )

    def __init__(self, key: str, family: int, address: str | tuple[str, int], limit: int = 0) -> None:
        self.key = key
        self.label = key.encode()
        self.family = family
        self.address = address
        self.packed = pack_address(family, address)
        self.alternate: tuple[int, str | tuple[str, int], bytes] | None = None
        self.tls: InstanceTls | None = None
        self.seed = int.from_bytes(blake2b(self.label, digest_size=8).digest(), "big")
        self.token = b""
        self.idle: list[object] = []
        self.connections = self.inflight = 0
        self.limit = limit
        self.most_idle = MOST_IDLE
        self.healthy = self.passes = True
        self.answers = self.failing = False
        self.cause = ""
        self.failed_at = 0.0
        self.on_change: Callable[[Instance], None] | None = None
        self.failures = self.pauses = 0
        self.down_until = self.pause = 0.0
        self.trying = self.ramping = False
        self.slow_start = self.since = self.credit = 0.0
        self.keep_alive = SAFE_IDLE
        self.keeps_idle = False
        self.retired = False
        self.identity = ""
        self.served = self.faults = self.tunnels = 0
        self.seconds = 0.0

    # How it is reached

    def secure(self, tls: InstanceTls | None) -> None:
        """Connections to it use TLS like this; None for plain HTTP."""
        self.tls = tls

    def also_at(self, family: int, address: tuple[str, int]) -> None:
        """It may be reached at this address, too, if it does not listen on its own."""
        self.alternate = (family, address, pack_address(family, address))

    def prefer_alternate(self) -> None:
        """It was reached at its other address: try that first from now on."""
        if self.alternate is not None:
            before = (self.family, self.address, self.packed)
            self.family, self.address, self.packed = self.alternate
            self.alternate = before

    # Whether it may serve

    def is_up(self, now: float) -> bool:
        """Whether it works; it may still be serving as much as it may."""
        return self.healthy and self.down_until <= now

    def may_serve(self, tried: list[Instance] | None, now: float) -> bool:
        """Whether it may serve one more request, for which `tried` were tried."""
        return (
            self.healthy
            and self.down_until <= now
            and (self.limit == 0 or self.inflight < self.limit)
            and (tried is None or self not in tried)
        )

    def is_full(self) -> bool:
        """Whether it serves as many as it may."""
        return self.limit != 0 and self.inflight >= self.limit

    # From its configuration and the checks

    def equip(self, most_idle: int, slow_start: float, token: bytes) -> None:
        """Apply its environment's policy."""
        self.most_idle = most_idle
        self.slow_start = slow_start
        self.ramping = self.ramping and slow_start > 0.0
        self.token = token

    def bound(self, limit: int) -> None:
        """Set how many connections it may have at once; 0: any number."""
        self.limit = limit

    def begin_healthy(self, healthy: bool) -> None:
        """Set whether a new one may serve."""
        self.healthy = healthy

    def checked(self, passes: bool, answers: bool) -> None:
        """Apply the result of the active checks."""
        self.passes = passes
        self.answers = answers

    def observed_by(self, on_change: Callable[[Instance], None]) -> None:
        """Call this when `failing` changes."""
        self.on_change = on_change

    # What it serves

    def entered(self) -> None:
        """It serves one more exchange."""
        self.inflight += 1
        self.served += 1

    def left(self) -> None:
        """It has finished one."""
        self.inflight -= 1

    def answered(self, seconds: float) -> None:
        """The head of an answer has come, after so long."""
        self.seconds += seconds

    def tunnelled(self, number: int) -> None:
        """One of those that it serves has become a tunnel (1), or ends as one (-1)."""
        self.tunnels += number

    def connected(self) -> None:
        """A connection to it was made, or is being made."""
        self.connections += 1

    def disconnected(self) -> None:
        """A connection to it is closed."""
        self.connections -= 1

    def keep_idle(self, connection: object) -> None:
        """Put this connection into its pool."""
        self.idle.append(connection)

    def take_newest(self) -> object:
        """Take the connection that has been in its pool for the shortest time; there must be one."""
        return self.idle.pop()

    def lost_idle(self, connection: object) -> None:
        """Remove this connection from its pool."""
        self.idle.remove(connection)

    def retire(self) -> None:
        """Its environment is done with it."""
        self.retired = True

    # Its share

    def share(self, now: float) -> float:
        """Its present part of its usual share: less than 1 for a while after it came back."""
        if not self.ramping:
            return 1.0
        risen = (now - self.since) / self.slow_start
        if risen >= 1.0:
            self.ramping = False
            return 1.0
        return max(risen, _LEAST_SHARE)

    def load(self, now: float) -> float:
        """What it serves, relative to its share."""
        return self.inflight if not self.ramping else self.inflight / self.share(now)

    def takes_turn(self, now: float) -> bool:
        """Whether it takes its turn this time: as many in ten as its share has tenths, evenly spread."""
        self.credit += self.share(now)
        if self.credit < 1.0:
            return False
        self.credit -= 1.0
        return True

    # What happened to it

    def passed_over(self, now: float, first: float, longest: float) -> None:
        """Pass it over from now on, for `first` seconds, doubled each time in a row up to `longest`."""
        self.pause = min(first * 2.0 ** min(self.pauses, _DOUBLINGS), longest)
        self.pauses += 1
        self.down_until = now + self.pause
        self.trying = False
        self.failing = True

    def tried(self, now: float) -> None:
        """Its pause is over, and a request goes to it: only one, until that has succeeded."""
        self.trying = True
        self.down_until = now + self.pause

    def worked(self, now: float) -> None:
        """It answered."""
        self.failures = 0
        if self.failing:
            self._recovered(now)
        if self.keep_alive < SAFE_IDLE:
            self.keep_alive += 0.001  # what was learnt from a restart fades with time

    def _recovered(self, now: float) -> None:
        self.failing = False
        if self.down_until != 0.0:
            self.down_until = 0.0
            self.pauses = 0
            self.trying = False
            self.came_back(now)
        if self.on_change is not None:
            self.on_change(self)

    def set_healthy(self, healthy: bool, now: float) -> None:
        """Apply the result of the active checks; `now` in seconds of the monotonic clock."""
        if healthy and not self.healthy:
            self.worked(now)  # failures before it was taken out no longer count
            self.came_back(now)
        self.healthy = healthy

    def came_back(self, now: float) -> None:
        """It works (again, or is new): from now on its share grows, if it is to come back slowly."""
        if self.slow_start:
            self.ramping = True
            self.since = now
            self.credit = 0.0

    def count_failure(self, now: float, cause: str) -> int:
        """Count one more in a row; returns how many there are."""
        self.failures += 1
        self.faults += 1
        self.cause = cause
        self.failed_at = now
        return self.failures

    def serve_on(self) -> None:
        """It fails, but is not passed over: no other instance is left."""
        self.down_until = 0.0
        self.trying = False
        self.failing = True

    def kept_idle(self) -> None:
        """A connection was seen to stay open while it was idle."""
        self.keeps_idle = True

    def keeps_idle_for(self, seconds: float) -> None:
        """It announced for how long it keeps an idle connection: stay well below that."""
        self.keep_alive = seconds * 0.5

    def closed_idle(self, seconds: float) -> None:
        """It closed a connection that had been idle for so long: stay well below that from now on."""
        self.keep_alive = min(self.keep_alive, seconds / 2)
        if seconds < PROOF:
            self.keeps_idle = False


def pack_address(family: int, address: str | tuple[str, int]) -> bytes:
    """The address as the system's `struct sockaddr`; `address` is a path for AF_UNIX, else host and port in numbers."""
    if isinstance(address, str):
        return struct.pack("=H", family) + address.encode() + b"\0"
    host, port = address
    if family == socket.AF_INET6:
        host, _, scope = host.partition("%")
        index = socket.if_nametoindex(scope) if scope else 0
        return (
            struct.pack("=H", family)
            + struct.pack(">HI", port, 0)
            + socket.inet_pton(family, host)
            + struct.pack("=I", index)
        )
    return struct.pack("=H", family) + struct.pack(">H", port) + socket.inet_pton(family, host) + b"\0" * 8
