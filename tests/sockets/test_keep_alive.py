"""How a client that is gone without a word is noticed: what the system is told to ask."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lb.sockets.keep_alive import look_after_clients


def figures(sock: socket.socket) -> dict[str, int]:
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    return {name: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names}


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux's names")
@pytest.mark.parametrize(
    ("patience", "idle", "pause", "limit"),
    [(60.0, 45, 15, 180_000), (4.0, 3, 1, 12_000), (0.1, 1, 1, 300), (1e9, 45, 15, 2**31 - 1)],
)
def test_the_systems_limit_is_longer_than_ours(patience: float, idle: int, pause: int, limit: int) -> None:
    # spec: L4
    with socket.socket() as sock:
        look_after_clients(sock, patience)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        found = figures(sock)
        assert (found["TCP_KEEPIDLE"], found["TCP_KEEPINTVL"], found["TCP_KEEPCNT"]) == (idle, pause, 3)
        assert found["TCP_USER_TIMEOUT"] == limit


def test_accepted_connections_have_it_from_there() -> None:
    # spec: L4
    with socket.create_server(("127.0.0.1", 0)) as sock:
        look_after_clients(sock, 60.0)
        with socket.create_connection(sock.getsockname()), sock.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_unix_socket_needs_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        look_after_clients(sock, 60.0)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
