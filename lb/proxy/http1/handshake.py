"""The TLS handshake of a client's connection: its time, and the certificates that it may have to wait for.

It knows when a handshake begins, is suspended and goes on. Names and certificates are the business of `tls/handshake`,
and what is said over the connection afterwards that of derived classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.proxy.http1.response_writer import ResponseWriter
from lb.proxy.io.memory_tls import Terminator
from lb.routing.rate_limit import RateLimit

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo
    from lb.proxy.engine import Engine

_NAMES = RateLimit(interval=2.0, burst=10)  # how often one client may bring up a name that has no certificate
_NAMING = 0x5DEECE66D  # derives a second key for a client: names are counted apart from requests


class Handshaking(ResponseWriter):
    """A client's connection, as far as its handshake goes. `info` describes the client."""

    __slots__ = ("_established", "engine", "info")

    engine: Engine
    info: ClientInfo
    _established: bool  # no handshake is under way

    def shake_hands(self, contexts: Terminator) -> None:
        """Start TLS with a handshake, which has a timeout of its own."""
        self._established = False
        self.start_tls(contexts)
        self.engine.deadlines.watch(self, self.engine.poller.now + self.engine.snapshot.handshake)

    def suspended(self) -> None:
        engine = self.engine
        snapshot, held, now = engine.snapshot, engine.held, engine.poller.now
        key = 0 if snapshot.trusts(self.info.address) else self.info.key()
        if held is None:
            self.refuse_handshake()
        elif key and held.is_new(now) and engine.rate_limiter.take(key ^ _NAMING, now, _NAMES):
            held.refuse()
            self.refuse_handshake()
        elif held.hold(self, key, min(snapshot.max_held, engine.max_connections // 2), now):
            engine.evictor.spoke(self)  # type: ignore[arg-type]  # it waits for us, and is not evicted for others
            engine.deadlines.watch(self, now + snapshot.hold)
        else:
            self.refuse_handshake()

    def go_on(self) -> None:
        engine = self.engine
        engine.evictor.came(self, engine.poller.now)  # type: ignore[arg-type]  # a Client
        engine.deadlines.watch(self, engine.poller.now + engine.snapshot.handshake)
        ResponseWriter.go_on(self)

    def turn_down(self) -> None:
        """There is no certificate for the name in this connection's pending handshake."""
        self.refuse_handshake()

    def unsecured(self) -> None:
        # A client that typed http:// is told (`_begin`); `_established` stays False, and nothing is served.
        self.info.unsecured()

    def flooded(self) -> None:
        self.engine.floods.closed(self.info.address, self.engine.poller.now)
