"""What an exchange becomes when its instance agrees to switch protocols: bytes pass both ways, unread.

It knows the two connections, and the exchange that it was, which counts the bytes and ends for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.process.remaining import TUNNEL, WEBSOCKET
from lb.proxy.handler import Handler
from lb.proxy.io.deadlines import NEVER

if TYPE_CHECKING:
    from lb.proxy.exchange.base import ExchangeBase


class Tunnel(Handler):
    """A tunnel between the connections of `exchange`. Silence has no timeout; only what was sent must be taken in time.

    Where one side ends, the other direction goes on. A client that is done may wait hours for the instance's result. An
    instance that is done has often closed its connection altogether, which looks the same, so its client has to send
    something now and then to keep the tunnel.
    """

    __slots__ = ("_client_ended", "_lines", "_protocol", "_upstream_ended", "client", "engine", "exchange", "upstream")

    def __init__(self, exchange: ExchangeBase, lines: bytes, protocol: bytes) -> None:
        """`lines` are those of the head of a 101, for the client; `protocol` is what both sides speak from now on."""
        self._lines = lines
        self._protocol = protocol
        self._client_ended = self._upstream_ended = False
        self.exchange = exchange
        self.engine = self.exchange.engine  # taken from what has a type: an argument of __init__ has none when compiled
        self.client = self.exchange.client
        self.upstream = self.exchange.upstream

    def start(self) -> None:
        """Send the client the head, and pass on what both have sent already."""
        client = self.client
        upstream = self.upstream
        client.tell(self)
        upstream.tell(self)
        client.read_much(True)
        self.engine.deadlines.suspend(upstream)
        client.switch(self._lines, self._protocol)
        client.arm()
        if upstream.backlog():  # of the request's body
            self._watch_upstream()
        if upstream.have:
            self.response_data()
        if client.have and client.handler is self:
            self.request_data()
        if client.leaving and client.handler is self:
            self.client_ended()

    def fail(self, error: ProxyError) -> None:
        self.exchange.fail(error)

    def cut(self) -> None:
        """End it because the service ends: what was sent so far still arrives on either side."""
        upstream = self.upstream
        upstream.tell(None)
        upstream.close()
        self._watch_upstream()
        self.exchange.let_go()
        self.exchange.end_tunnel("proxy_stopped")

    def describe(self) -> tuple[str, bytes, bytes]:
        environment = self.exchange.route.environment
        is_websocket = (self.exchange.head.upgrade or b"").lower() == b"websocket"
        return WEBSOCKET if is_websocket else TUNNEL, environment.app, environment.name

    def _watch_upstream(self) -> None:
        """Start the timeout within which the instance must take something (L3)."""
        self.engine.deadlines.watch(self.upstream, self.engine.poller.now + self.exchange.route.read)

    # The client

    def request_data(self) -> None:
        client = self.client
        upstream = self.upstream
        self.exchange.count(client.read_raw(), 0)
        upstream.body(client, None)
        if upstream.full:
            client.pause()
            self._watch_upstream()
        else:
            client.resume()
        if self._upstream_ended:
            client.arm()

    def client_drained(self) -> None:
        if self.upstream.paused and not self.client.full:
            self.upstream.read_much(True)
            self.upstream.resume()

    def client_ended(self) -> bool:
        self._client_ended = True
        if self._upstream_ended:
            self._end()
        else:
            self.upstream.end()
            if self.upstream.backlog():
                self._watch_upstream()
        return False

    def awaits_client(self) -> bool:
        return self._upstream_ended and not self.client.paused

    def client_timeout(self) -> float:
        return self.exchange.route.read

    def client_late(self) -> None:
        self._end()

    def client_stopped(self) -> None:
        self.exchange.client_stopped()

    def client_gone(self) -> None:
        self._end()

    # The instance

    def response_data(self) -> None:
        client = self.client
        upstream = self.upstream
        self.exchange.count(0, upstream.read_raw())
        client.body(upstream, None)
        if client.full:
            upstream.pause()
            client.arm()

    def upstream_drained(self) -> None:
        upstream = self.upstream
        client = self.client
        if upstream.full:
            upstream.takes()
        elif client.paused:
            client.resume()
            client.arm()  # it is the client's turn again
        if upstream.backlog():
            self._watch_upstream()
        else:
            self.engine.deadlines.watch(upstream, NEVER)

    def upstream_ended(self) -> None:
        self._upstream_ended = True
        if self._client_ended:
            self._end()
        else:
            self.client.end()
            self.client.arm()

    def upstream_lost(self) -> None:
        self._end()

    def upstream_late(self) -> None:
        if self.upstream.backlog():
            if self.upstream.takes():
                self._watch_upstream()
            else:
                self.fail(ProxyError("connection_write_timeout"))

    def _end(self) -> None:
        """Pass on nothing more; what was sent still arrives, on both sides."""
        upstream = self.upstream
        if upstream.handler is self:
            upstream.part()
            self.exchange.let_go()
        self.exchange.end_tunnel(None)
