"""The two ends of a connection, asked of the system. Only a header for an instance needs them."""

from __future__ import annotations

import socket
from contextlib import suppress

from lb.http.proxy_protocol import Endpoints

_MAPPED = "::ffff:"


def endpoints_of(fd: int, address: bytes, port: int) -> Endpoints:
    """The ends of the TCP connection with this descriptor, which was accepted from this address and port. The system
    is asked for the near end only: the other one it forgets as soon as the peer resets the connection.
    """
    server, server_port = "::" if b":" in address else "0.0.0.0", 0  # noqa: S104 - says that it is not known
    with suppress(OSError, ValueError):
        sock = socket.socket(fileno=fd)  # itself: there may be no descriptor left for a copy
        try:
            server, server_port = sock.getsockname()[:2]
        finally:
            sock.detach()
    return Endpoints(address, port, _plain(server), server_port)


def _plain(address: str) -> bytes:
    text = address.removeprefix(_MAPPED) if "." in address else address
    return text.partition("%")[0].encode()
