"""The two ends of a connection, asked of the system. Only a header for an instance needs them."""

from __future__ import annotations

import os
import socket

from lb.http.proxy_protocol import Endpoints

_MAPPED = "::ffff:"


def endpoints_of(fd: int) -> Endpoints | None:
    """The ends of the TCP connection with this descriptor; None if it has none any more."""
    try:
        with socket.socket(fileno=os.dup(fd)) as sock:
            client, server = sock.getpeername(), sock.getsockname()
    except OSError:
        return None
    return Endpoints(_plain(client[0]), client[1], _plain(server[0]), server[1])


def _plain(address: str) -> bytes:
    text = address.removeprefix(_MAPPED) if "." in address else address
    return text.partition("%")[0].encode()
