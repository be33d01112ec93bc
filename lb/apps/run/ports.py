"""Ports for apps that listen on a port of their own: one that is free now, and that the kernel gives to nobody else.

A port is tried by binding it and closing it again. Other engines respect the claim on it; any other program may take
it meanwhile: the start check says which one, and the instance is started once more on another port.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Container
from pathlib import Path

from lb.apps.run.port_claim import PortClaim, claim_port

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


class NoPortError(Exception):
    """The pool has no free port."""


class PortPool:
    """Goes round its range, so that a port that was free a moment ago rests before it is used again."""

    def __init__(self, ports: range, is_free: Callable[[int], bool] | None = None) -> None:
        self._ports = ports
        self._is_free = is_free or port_is_free
        self._next = 0

    def take(self, avoid: Container[int] = ()) -> int:
        """A free port that is not in `avoid`. Raises NoPortError."""
        for step in range(len(self._ports)):
            port = self._ports[(self._next + step) % len(self._ports)]
            if port not in avoid and self._is_free(port):
                self._next = (self._next + step + 1) % len(self._ports)
                return port
        raise NoPortError(f"no port of {self._ports.start}-{self._ports.stop - 1} is free; make engine.ports wider")


def claim_free_port(pool: PortPool) -> PortClaim:
    """A free port that no engine of this machine has given to another app. Raises NoPortError."""
    claimed: set[int] = set()
    while True:
        port = pool.take(claimed)
        if (claim := claim_port(port)) is not None:
            return claim
        claimed.add(port)


def port_is_free(port: int) -> bool:
    """Whether an app could listen on it, on all addresses of the machine."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 -- to try, not to serve
        try:
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT does not count
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((address, port))
                sock.listen(1)
        except OSError:
            if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
                continue  # there is no IPv6 here
            return False
    return True


def ephemeral_ports(path: Path = _EPHEMERAL) -> range:
    """The ports that the kernel gives to outgoing connections; an empty range where it does not say."""
    try:
        first, last = (int(word) for word in path.read_text().split())
    except (OSError, ValueError):
        return range(0)
    return range(first, last + 1)


def overlap(ports: range, ephemeral: range) -> str:
    """Why this pool is a bad one, with the remedy; "" if it is apart from the ephemeral ports."""
    if not ports or not ephemeral or ports.stop <= ephemeral.start or ephemeral.stop <= ports.start:
        return ""
    return (
        f"engine.ports {ports.start}-{ports.stop - 1} overlaps the ports of outgoing connections "
        f"({ephemeral.start}-{ephemeral.stop - 1}), so that one of them can take an app's port; "
        f"choose others, or run: sysctl -w net.ipv4.ip_local_reserved_ports={ports.start}-{ports.stop - 1}"
    )
