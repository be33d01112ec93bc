"""Listening sockets: one per worker slot and address, bound before any worker exists, and why binding failed.

The kernel spreads connections over the sockets of one address (SO_REUSEPORT), each with a queue of its own; since the
supervisor keeps them, connections in the queue of a dead worker are served by its successor. Inherited sockets are used
instead of binding new ones (sockets/inherited). This file knows nothing about processes: it makes and describes
sockets.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from lb.config.model import ListenAddress
from lb.process.start_error import StartError
from lb.sockets.inherited import InheritedSockets
from lb.sockets.port_owner import port_holder

BACKLOG = 4096
_Address = tuple[Any, ...]  # the argument of bind(): host and port, and more for IPv6
_RESERVED = 1024  # ports below this belong to root
# On other systems SO_REUSEPORT does not spread connections, so the slots share one socket.
_SPREADS = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """One bound address: a listening socket for each slot, and more if more were inherited.

    Socket `i` belongs to slot `i` modulo the number of slots, so that none is left unserved, and no connection lost.
    """

    scheme: str
    sockets: tuple[socket.socket, ...]

    @property
    def family(self) -> int:
        return self.sockets[0].family

    @property
    def host(self) -> str:
        return str(self.sockets[0].getsockname()[0])

    @property
    def port(self) -> int:
        """The port; if 0 was requested, the one that the system chose."""
        return int(self.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """`http://127.0.0.1:8080`."""
        return _url(self.scheme, self.host, self.port)

    def takes_both_families(self) -> bool:
        """Whether it is one socket for every address of this machine, IPv4 and IPv6."""
        sock = self.sockets[0]
        is_every = sock.family == socket.AF_INET6 and self.host == "::"
        return is_every and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


def _url(scheme: str, host: str, port: int) -> str:
    """The start of a URL, IPv6 addresses in brackets."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def bind_all(
    addresses: Iterable[tuple[str, ListenAddress]], slots: int, inherited: InheritedSockets | None = None
) -> tuple[BoundAddress, ...]:
    """Binds every (scheme, address) for `slots` slots, except what was `inherited`. Raises StartError, and binds none,
    if one fails.
    """
    inherited = inherited or InheritedSockets()
    with ExitStack() as opened:
        bound = []
        for scheme, address in addresses:
            for one in _take_or_bind(scheme, address, slots, inherited):
                for sock in one.sockets:
                    opened.enter_context(sock)
                bound.append(one)
        opened.pop_all()
    return tuple(bound)


def _take_or_bind(scheme: str, address: ListenAddress, slots: int, inherited: InheritedSockets) -> list[BoundAddress]:
    """An address such as ":80", which stands for both families, gives several."""
    port = address.port
    if not address.host and (taken := inherited.take_both_families(scheme, port)):
        return [BoundAddress(scheme, share(taken, slots))]
    bound: list[BoundAddress] = []
    for family, resolved in resolve(scheme, address):
        target = (resolved[0], port, *resolved[2:])
        try:
            taken = inherited.take(scheme, family, target)
            sockets = share(taken, slots) if taken else bind_slots(family, target, slots)
        except OSError as error:
            if family == socket.AF_INET6 and not address.host and error.errno in NO_SUCH_FAMILY:
                continue  # ":80" on a system without IPv6
            for one in bound:
                for sock in one.sockets:
                    sock.close()
            reason = explain(scheme, str(target[0]), port, error)
            if in_the_way := inherited.on_port(port):
                reason += f". A socket bound to {in_the_way} was passed to this process: `listen` must say the same"
            raise StartError(reason) from error
        bound.append(BoundAddress(scheme, sockets))
        port = bound[-1].port  # if the system picks the port, both families get the same
    return bound


NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def resolve(scheme: str, address: ListenAddress) -> list[tuple[int, _Address]]:
    """The (family, address) pairs of a host; "" is every address of both families. Raises StartError."""
    if not address.host:
        return [(socket.AF_INET, ("0.0.0.0", 0)), (socket.AF_INET6, ("::", 0, 0, 0))]  # noqa: S104  the file says ":80"
    try:
        # Not for names, which are not allowed: it turns the scope of fe80::1%eth0 into a number.
        found = socket.getaddrinfo(address.host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror as error:
        raise StartError(explain(scheme, address.host, address.port, error)) from error
    return [(family, sockaddr) for family, _, _, _, sockaddr in found]


def share(sockets: tuple[socket.socket, ...], slots: int) -> tuple[socket.socket, ...]:
    """Inherited sockets for `slots` slots: if they are fewer, several slots accept from the same queue.

    Further sockets bound beside these would have queues that end with this process, while the process that passed these
    keeps them. A new connection wakes all idle workers, and one accepts it. (EPOLLEXCLUSIVE would not help: it has no
    effect on an epoll descriptor that is itself watched, and where it has, one worker gets nearly all.)
    """
    missing = range(len(sockets), slots)
    return (*sockets, *(sockets[slot % len(sockets)].dup() for slot in missing))


def bind_slots(family: int, target: _Address, slots: int, *, alone: bool = True) -> tuple[socket.socket, ...]:
    """That many listening sockets; `alone` unless this service has the port already. Raises OSError."""
    if target[1] and alone:
        # SO_REUSEPORT would let a second `lb` of the same user share the port silently; a bind without it does not.
        _bind(family, target, share=False).close()
    first = _bind(family, target, share=_SPREADS)
    target = (target[0], first.getsockname()[1], *target[2:])
    sockets = [first]
    try:
        while len(sockets) < slots:
            sockets.append(_bind(family, target, share=True) if _SPREADS else first.dup())
        for sock in sockets if _SPREADS else sockets[:1]:
            sock.listen(BACKLOG)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return tuple(sockets)


def is_shared(sock: socket.socket) -> bool:
    """Whether more sockets may be bound beside this one, each with a queue of its own."""
    return _SPREADS and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def bind_more(beside: socket.socket, count: int) -> tuple[socket.socket, ...]:
    """That many more for the same address, which do not listen yet. Raises OSError."""
    sockets: list[socket.socket] = []
    try:
        while len(sockets) < count:
            sockets.append(_bind(beside.family, beside.getsockname(), share=True))
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return tuple(sockets)


def _bind(family: int, target: _Address, *, share: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for the end of TIME_WAIT
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Accepted sockets inherit it, which saves a system call for each.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sock.bind(target)
    except OSError:
        sock.close()
        raise
    return sock


def explain(scheme: str, host: str, port: int, error: OSError) -> str:
    """Why the address could not be bound, and what to do."""
    reason = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        holder = port_holder(port)
        reason = f"the port is in use by {holder}" if holder else "the port is in use by another process"
    elif error.errno == errno.EACCES and port < _RESERVED:
        reason = (
            f"this process lacks the privilege for ports below {_RESERVED}. Listen on a higher port, or run lb "
            "from systemd with AmbientCapabilities=CAP_NET_BIND_SERVICE, or allow it for every process with "
            f"`sysctl net.ipv4.ip_unprivileged_port_start={port}`"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        reason = "this machine has no such address"
    elif error.errno == errno.EMFILE:
        reason = f"too many open files (user {os.getuid()}); raise `ulimit -n`"
    return f"cannot listen on {_url(scheme, host, port)}: {reason}"
