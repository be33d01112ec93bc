"""Turns each connection accepted on one listening socket into a client's connection, if there is room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.proxy.http1.connection import Client
from lb.proxy.io.listener import Listener

if TYPE_CHECKING:
    from lb.proxy.engine import Engine
    from lb.proxy.io.memory_tls import Terminator


class ClientListener(Listener):
    """Makes a Client of each accepted connection."""

    __slots__ = ("engine", "scheme", "tls")

    def __init__(self, engine: Engine, scheme: bytes, tls: Terminator | None) -> None:
        super().__init__()
        self.engine = engine
        self.scheme = scheme
        self.tls = tls

    def accepted(self, fd: int, address: bytes, port: int) -> None:
        engine = self.engine
        client = Client(engine, self.scheme, address[7:] if address.startswith(b"::ffff:") else address)
        try:
            client.attach(engine.poller, fd)
            client.info.fd = fd
            client.info.port = port
            self._admit(client)
        except Exception as error:  # noqa: BLE001 - neither this one nor the next may be left half made
            engine.broken(client, error)

    def _admit(self, client: Client) -> None:
        """Count it, and start it as the configuration allows, or turn it away if there is no room."""
        engine = self.engine
        snapshot = engine.snapshot
        is_full = engine.open_connections >= engine.max_connections
        introduces = snapshot.proxy_protocol and snapshot.trusts(client.info.address)
        engine.opened(client)
        if not introduces and not client.info.may_connect():
            client.turn_away("client_connection_limit_reached", "limits.client_connections")
        elif is_full and not engine.make_room():
            client.turn_away("connection_limit_reached", engine.limit_in_words())
        elif self.tls is not None:
            client.shake_hands(self.tls)
        else:
            # A connection that never sends anything has the time that a head has.
            engine.deadlines.watch(client, engine.poller.now + (snapshot.handshake if introduces else snapshot.head))
        if introduces and not client.turned_away:
            client.expect_preface()

    def refused(self, error: int) -> None:
        self.engine.shed(self, error)
