"""A claim on a port that all engines of a machine respect, whichever user's they are.

An app binds its port seconds after the port was chosen. Until then it looks free to another engine, whose app would
take it. A claim is a name in the kernel's abstract namespace of Unix sockets, which goes with the process that holds
it. Where there is no such namespace, a claim is always given.
"""

from __future__ import annotations

import socket
import sys


class PortClaim:
    """A port that no other engine chooses while this is held."""

    def __init__(self, port: int, token: socket.socket | None = None) -> None:
        self.port = port
        self._token = token

    def release(self) -> None:
        if self._token is not None:
            self._token.close()


def claim_port(port: int) -> PortClaim | None:
    """None if another engine, or this one, has it."""
    if sys.platform != "linux":
        return PortClaim(port)
    token = socket.socket(socket.AF_UNIX)
    try:
        token.bind(f"\0lb-engine-port-{port}")
    except OSError:
        token.close()
        return None
    return PortClaim(port, token)
