"""What is known about a client, whatever its requests come over.

A connection has one, shared by all its requests. It knows addresses, the certificate that was presented, and the key
under which the client is counted. It does not know the connection, nor how a message is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.http.forwarding import around_host, client_certificate_line, forwarded_scheme, host_value
from lb.http.head import RequestHead
from lb.http.proxy_protocol import Endpoints
from lb.proxy.endpoints import endpoints_of
from lb.routing.clients import client_behind, named_client
from lb.routing.route import Route
from lb.routing.table import host_name

if TYPE_CHECKING:
    from lb.proxy.engine import Engine
    from lb.proxy.io.memory_tls import PresentedCertificate, ServerTls


class ClientInfo:
    """One client. `certificate` is what was presented to it for the name it asked for, None without TLS; `client_auth`
    the domain for which the client's own certificate was requested, if any; `client_certificate` the field line that
    describes that certificate to an app, empty if there is none; `fd` the descriptor of its connection, `port` the
    client's end of it, and `endpoints` its ends as a trusted proxy has named them, None where none has.
    """

    __slots__ = (
        "_before",
        "_behind",
        "_counted",
        "_covered_host",
        "_fields",
        "_fields_host",
        "_key",
        "address",
        "certificate",
        "client_auth",
        "client_certificate",
        "endpoints",
        "engine",
        "fd",
        "port",
        "scheme",
        "secure",
    )

    def __init__(self, engine: Engine, scheme: bytes, address: bytes) -> None:
        self.engine = engine
        self.scheme = scheme
        self.secure = scheme == b"https"
        self.address = address
        self.certificate: PresentedCertificate | None = None
        self.client_auth: bytes | None = None
        self.client_certificate = b""
        self.endpoints: Endpoints | None = None
        self.fd = -1
        self.port = 0
        self._counted = False  # counted among the connections of its address
        self._key = 0  # the key of its address, 0 until first needed
        self._fields_host: bytes | None = None
        self._fields = b""
        self._before: bytes | None = None
        self._behind = b""
        self._covered_host: bytes | None = None

    # Called by its connection

    def secured(self, side: ServerTls) -> None:
        """The TLS handshake is done."""
        self.certificate = side.certificate
        self.client_auth = side.client_auth
        if self.client_auth is not None:
            self.client_certificate = client_certificate_line(side.getpeercert(True))

    def introduce(self, endpoints: Endpoints) -> None:
        """A trusted proxy says that the connection comes from there; nothing else is known of the client yet."""
        self.endpoints = endpoints
        self.address = endpoints.client
        self._key = 0

    def unsecured(self) -> None:
        """It speaks plain HTTP where TLS was expected."""
        self.scheme = b"http"
        self.secure = False

    def may_connect(self) -> bool:
        """Count a connection as this client's; False when the client has as many as it may (L5)."""
        engine = self.engine
        limit = engine.snapshot.client_connections
        if limit and not engine.snapshot.trusts(self.address):
            self._counted = engine.connection_counts.arrive(self.key(), limit)
            return self._counted
        return True

    def disconnected(self) -> None:
        """A connection that `may_connect` allowed has ended."""
        if self._counted:
            self.engine.connection_counts.leave(self._key)

    # Called by an exchange

    def forwarded(self, route: Route, head: RequestHead) -> bytes:
        """The field lines that describe this client to the app; made once per host."""
        if route.proxied and self.engine.snapshot.trusts(self.address):
            return self._reported(route, head)
        if head.host != self._fields_host:
            if self._before is None:
                self._before, self._behind = around_host(self.address, self.scheme, self.address)
            self._fields_host = head.host
            self._fields = self._before + host_value(head.host) + self._behind
        return self._fields

    def _reported(self, route: Route, head: RequestHead) -> bytes:
        """The same behind a trusted proxy. The chain of a CDN goes on (H2), with the CDN at its end; where the proxy
        names the client, the other fields are about that.
        """
        address = self.address
        chain = b"%b, %b" % (head.forwarded_for, address) if route.cdn and head.forwarded_for else b""
        if route.names_client:
            address = named_client(head.forwarded_for or b"", self.engine.snapshot.trusted) or address
        before, behind = around_host(address, self.scheme_of(route, head), chain or address)
        return before + host_value(head.host) + behind

    def scheme_of(self, route: Route | None, head: RequestHead) -> bytes:
        """The scheme that the app is told: the connection's, or what a trusted proxy says that names the client."""
        if route is not None and route.names_client and self.engine.snapshot.trusts(self.address):
            return forwarded_scheme(head) or self.scheme
        return self.scheme

    def came_securely(self, route: Route, head: RequestHead) -> bool:
        """Whether the client itself uses HTTPS, as far as that is known."""
        if route.proxied and self.engine.snapshot.trusts(self.address):
            return (forwarded_scheme(head) or self.scheme) == b"https"
        return self.secure

    def early(self, route: Route | None, head: RequestHead) -> float:
        """Seconds by which this request comes too early, over all connections of its client (L5); 0.0 if it may go."""
        engine = self.engine
        snapshot = engine.snapshot
        pace = snapshot.client_pace
        scope = 0
        if route is not None and route.pace is not None:
            pace = route.pace
            scope = route.scope
        if pace is None:
            return 0.0
        key = self.key()
        if route is not None and route.proxied and snapshot.trusts(self.address):
            # Without a name the request is the CDN's own, and the CDN is not one client.
            key = engine.clients.key(client_behind(head.forwarded_for or b"", snapshot.trusted))
        return engine.rate_limiter.take((key ^ scope) or key, engine.poller.now, pace) if key else 0.0

    def ends(self, route: Route, head: RequestHead) -> Endpoints:
        """Both ends of the client's connection, for a header that tells an instance."""
        ends = self.endpoints
        if ends is None:
            ends = self.endpoints = endpoints_of(self.fd, self.address, self.port)
        if route.names_client and self.engine.snapshot.trusts(self.address):
            client = named_client(head.forwarded_for or b"", self.engine.snapshot.trusted)
            return Endpoints(client, 0, ends.server, ends.server_port) if client else ends
        return ends

    def key(self) -> int:
        """The key under which the client's address is counted."""
        if self._key == 0:
            self._key = self.engine.clients.key(self.address)
        return self._key

    def covers(self, host: bytes) -> bool:
        """Whether the certificate presented to the client is valid for `host` (D5)."""
        if self.certificate is None or host == self._covered_host:
            return True
        if self.certificate.covers(host_name(host).decode("latin-1")):
            self._covered_host = host
            return True
        return False
