"""The ends of a connection, as the system knows them."""

from __future__ import annotations

import socket

import pytest

from lb.http.proxy_protocol import Endpoints
from lb.proxy.endpoints import endpoints_of


@pytest.mark.parametrize(
    ("listens", "family", "host"),
    [("127.0.0.1", socket.AF_INET, "127.0.0.1"), ("::1", socket.AF_INET6, "::1"), ("::", socket.AF_INET6, "127.0.0.1")],
)
def test_both_ends(listens: str, family: socket.AddressFamily, host: str) -> None:
    with socket.create_server((listens, 0), family=family, dualstack_ipv6=listens == "::") as server:
        port = server.getsockname()[1]
        with socket.create_connection((host, port)) as client:
            accepted, _ = server.accept()
            with accepted:
                ends = Endpoints(host.encode(), client.getsockname()[1], host.encode(), port)
                assert endpoints_of(accepted.fileno()) == ends


def test_a_connection_that_is_gone_has_none() -> None:
    assert endpoints_of(-1) is None
    with socket.socket() as sock:
        assert endpoints_of(sock.fileno()) is None
