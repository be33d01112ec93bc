"""The ends of a connection, as the system knows them."""

from __future__ import annotations

import resource
import socket
import struct

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
                here = host.encode()
                from_port = client.getsockname()[1]
                assert endpoints_of(accepted.fileno(), here, from_port) == Endpoints(here, from_port, here, port)
                assert accepted.getpeername()  # it is still open


def test_a_connection_that_its_peer_has_reset_keeps_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, (_, from_port) = server.accept()
        with accepted:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            with pytest.raises(ConnectionResetError):
                accepted.recv(1)
            with pytest.raises(OSError, match="not connected"):
                accepted.getpeername()
            ends = Endpoints(b"127.0.0.1", from_port, b"127.0.0.1", port)
            assert endpoints_of(accepted.fileno(), b"127.0.0.1", from_port) == ends


def test_asking_takes_no_descriptor() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            ends = endpoints_of(server.fileno(), b"127.0.0.1", 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert ends.server_port == server.getsockname()[1]


def test_a_client_is_named_even_where_the_near_end_is_not_known() -> None:
    assert endpoints_of(-1, b"192.0.2.1", 7) == Endpoints(b"192.0.2.1", 7, b"0.0.0.0", 0)
    assert endpoints_of(-1, b"2001:db8::1", 7) == Endpoints(b"2001:db8::1", 7, b"::", 0)
