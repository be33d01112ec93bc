"""Clients that are gone without a word: what was open for them ends all the same, a tunnel included."""

# spec: F4, L4

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lb.sockets.keep_alive import look_after_clients
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.vanishing import vanish
from tests.e2e.harness.waiting import wait_for

_UPGRADE = message("GET /tunnel", "Connection: Upgrade", "Upgrade: custom/1")
_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: custom/1\r\n\r\n"


def _tunnel(peer: Peer) -> None:
    """Agree to the upgrade, and say nothing; or one word whenever something comes."""
    peer.request()
    peer.send(_SWITCHING)
    while peer.sock.recv(65536):
        peer.send(b"x")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_tunnel_ends_whose_client_vanished(tmp_path: Path, authority: Authority, scheme: str) -> None:
    with Instance(_tunnel) as instance:
        config = configure(
            instance.address,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            tls=tls_config(authority.issue(HOST)),
            timeouts={"read": "1s"},
        )
        with FrontDoor(config, tmp_path) as door:
            context = authority.context() if scheme == "https" else None
            with (
                Client(("127.0.0.1", door.port(scheme)), tls=context, name=HOST) as stays,
                Client(("127.0.0.1", door.port(scheme)), tls=context, name=HOST) as goes,
            ):
                for client in (stays, goes):
                    client.send(_UPGRADE)
                    assert client.head().status == 101
                assert instance.open_connections == 2
                vanish(goes.sock)
                wait_for(lambda: instance.open_connections == 1, "the end of the tunnel")
                stays.send(b"still there")
                wait_for(stays.stream.fill, "an answer to who is still there")


def test_a_reload_changes_the_time(tmp_path: Path) -> None:
    with Instance(_tunnel) as instance:
        config = configure(instance.address, timeouts={"read": "1h"})
        with FrontDoor(config, tmp_path) as door:
            assert door.reload({**config, "timeouts": {"read": "1s"}})
            with door.connect() as client:
                client.send(_UPGRADE)
                assert client.head().status == 101
                vanish(client.sock)
                wait_for(lambda: instance.open_connections == 0, "the end of the tunnel")


@pytest.mark.parametrize(
    ("patience", "expected"), [(60.0, (45, 15, 180_000)), (1.0, (1, 1, 3000)), (1e9, (45, 15, 2**31 - 1))]
)
def test_what_is_accepted_has_it_from_the_listening_socket(patience: float, expected: tuple[int, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        look_after_clients(server, patience)
        with socket.create_connection(server.getsockname()), server.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_USER_TIMEOUT)
            assert tuple(accepted.getsockopt(socket.IPPROTO_TCP, option) for option in options) == expected


def test_a_unix_socket_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        look_after_clients(sock, 60.0)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
