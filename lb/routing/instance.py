"""One address of an app, and how it is doing: the live state that outlives a configuration.

Passive failover (F1): an instance that refuses or breaks connections is passed over for a while that grows with each
failure in a row, and is back at once when a request works again. Knows no socket; time is passed in, in seconds of
the monotonic clock.
"""

from __future__ import annotations

import socket
import struct

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0
SAFE_IDLE = 1.0
"""Seconds for which an idle connection is taken to be safe for a request that must not be repeated: half of
gunicorn's 2 s, the shortest keep-alive of the usual servers."""


PROOF = 0.05
"""Seconds that an idle connection has to stay open before the instance is taken for one that keeps them."""


class Instance:
    """An instance: where it is, and its state.

    `key` is its address as configured; `idle` the pooled connections, newest last; `inflight` the exchanges that it
    is serving; `limit` how many it may serve at once (0: any number); `keep_alive` for how many seconds an idle
    connection is trusted; `keeps_idle` that one has been seen to stay open at all; `retired` that its environment is
    done with it: what it serves ends well, and nothing returns to its pool.
    """

    __slots__ = (
        "address",
        "down_until",
        "failures",
        "family",
        "healthy",
        "idle",
        "inflight",
        "keep_alive",
        "keeps_idle",
        "key",
        "label",
        "limit",
        "packed",
        "retired",
    )

    def __init__(self, key: str, family: int, address: str | tuple[str, int], limit: int = 0) -> None:
        self.key = key
        self.label = key.encode()
        self.family = family
        self.address = address
        self.packed = pack_address(family, address)
        self.idle: list[object] = []
        self.inflight = 0
        self.limit = limit
        self.healthy = True
        self.failures = 0
        self.down_until = 0.0
        self.keep_alive = SAFE_IDLE
        self.keeps_idle = False
        self.retired = False

    def set_healthy(self, healthy: bool, now: float) -> None:  # noqa: ARG002  one that is back may begin slowly
        """What the active checks say; `now` in seconds of the monotonic clock."""
        if healthy and not self.healthy:
            self.worked()  # what happened before it was taken out is over
        self.healthy = healthy

    def failed(self, now: float) -> None:
        """It refused or broke a connection: pass it over for a while."""
        self.failures += 1
        self.down_until = now + min(FIRST_PAUSE * 2.0 ** min(self.failures - 1, 8), LONGEST_PAUSE)

    def worked(self) -> None:
        """It answered."""
        self.failures = 0
        self.down_until = 0.0
        if self.keep_alive < SAFE_IDLE:
            self.keep_alive += 0.001  # what was learnt from a restart is forgotten with time

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
