"""One compiled, immutable configuration: an exchange takes it once, at its start, and keeps it to its end."""

from __future__ import annotations

from collections.abc import Callable

from lb.http.head import Limits
from lb.routing.networks import Networks
from lb.routing.rate_limit import RateLimit
from lb.routing.table import RouteTable

Answer = Callable[[bytes], bytes | None]
"""From a challenge token to its key authorization, or None."""


class Snapshot:
    """A configuration in the form that the data path uses. Times are in seconds; `https_port` is the port that
    redirects name, None if there is none. `proxy_protocol` says that trusted proxies begin a connection with a header.

    `max_connections`, `max_waiting` (requests that wait for an instance) and `max_held` (handshakes that wait for a
    certificate, each for `hold`) are a worker's share of the limits of L5. `drain` is how long a worker without a
    supervisor waits for what is open; a supervisor sets its own end. `client_pace` and `client_connections` hold for
    one client over all workers; None and 0 for no limit. `http2` says that clients may use HTTP/2 over TLS, `h2c` that
    they may without.
    """

    __slots__ = (
        "answer",
        "client_connections",
        "client_pace",
        "connect",
        "drain",
        "h2c",
        "handshake",
        "head",
        "hold",
        "http2",
        "https_port",
        "idle",
        "limits",
        "max_connections",
        "max_held",
        "max_waiting",
        "proxy_protocol",
        "read",
        "response",
        "table",
        "trusted",
    )

    def __init__(self, table: RouteTable, limits: Limits, answer: Answer, trusted: Networks) -> None:
        self.table = table
        self.limits = limits
        self.answer = answer
        self.trusted = trusted
        self.https_port: int | None = None
        self.proxy_protocol = False
        self.connect = self.response = self.read = self.head = 60.0
        self.idle = 75.0
        self.handshake = 10.0
        self.hold = 30.0
        self.drain = 30.0
        self.http2 = self.h2c = False
        self.client_pace: RateLimit | None = None
        self.client_connections = 0
        self.max_connections = 20000
        self.max_held = 0
        self.max_waiting = 1000

    def trusts(self, address: bytes) -> bool:
        """Whether this address is that of a trusted CDN."""
        return address in self.trusted
