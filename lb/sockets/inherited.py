"""Inherited listening sockets: which of them belongs to which address of the configuration.

systemd binds them (`lb.socket`) and keeps them over a restart; in an upgrade the predecessor passes its own. Either way
they come as open descriptors, named by environment variables, and are used before new ones are bound. This file knows
what these sockets are, but not why they were opened or what will serve them. Protocol: sd_listen_fds(3).
"""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from lb.process.start_error import StartError

log = logging.getLogger("lb.control")

_FIRST = 3  # SD_LISTEN_FDS_START
_PID, _COUNT, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_ANY_IPV6 = "::"


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """`name` is its purpose: systemd's FileDescriptorName=, or a predecessor's `http` or `https`."""

    name: str
    socket: socket.socket

    @property
    def host(self) -> str:
        return str(self.socket.getsockname()[0])

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """`[::]:80`, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def takes_both_families(self) -> bool:
        return self.host == _ANY_IPV6 and not self.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


class InheritedSockets:
    """Sockets that can each be taken once. `source` names the process that passed them, for messages."""

    def __init__(self, source: str = "", passed: Iterable[PassedSocket] = ()) -> None:
        self._source = source
        self._left = list(passed)

    def take(self, scheme: str, family: int, target: tuple[Any, ...]) -> tuple[socket.socket, ...]:
        """The sockets bound to exactly this host and port, in the order in which they were passed; usually none.

        If the configuration leaves the port to the system (0): those on the host that were opened for `scheme`.
        """
        host, port = target[:2]
        here = [one for one in self._left if one.socket.family == family and one.host == host]
        if not port:
            port = next((one.port for one in here if one.name == scheme), -1)
        return self._take([one for one in here if one.port == port])

    def take_both_families(self, scheme: str, port: int) -> tuple[socket.socket, ...]:
        """The sockets for every address of this machine at once, such as systemd's ListenStream=80."""
        here = [one for one in self._left if one.takes_both_families()]
        if not port:
            port = next((one.port for one in here if one.name == scheme), -1)
        return self._take([one for one in here if one.port == port])

    def on_port(self, port: int) -> str:
        """The unused addresses with this port, in words for a message, or ""."""
        return " and ".join(sorted({one.url for one in self._left if one.port == port}))

    def close_unused(self) -> None:
        """Logs and closes the sockets that the configuration does not use."""
        for one in self._left:
            log.warning(
                "%s passed a listening socket on %s, which is not under `listen` or `admin`: it is not served",
                self._source,
                one.url,
            )
            one.socket.close()
        self._left.clear()

    def _take(self, chosen: list[PassedSocket]) -> tuple[socket.socket, ...]:
        for one in chosen:
            self._left.remove(one)
        return tuple(one.socket for one in chosen)


def from_systemd(environ: MutableMapping[str, str]) -> InheritedSockets:
    """The sockets passed by systemd. The variables are removed: they are not for child processes.

    Raises StartError for a descriptor that is not a listening TCP socket.
    """
    pid, count, names = (environ.pop(name, "") for name in (_PID, _COUNT, _NAMES))
    if pid != str(os.getpid()) or not count.isdecimal():
        return InheritedSockets()
    named = [*names.split(":"), *[""] * int(count)]
    passed = [open_passed("systemd", _FIRST + at, named[at]) for at in range(int(count))]
    return InheritedSockets("systemd", passed)


def open_passed(source: str, fd: int, name: str) -> PassedSocket:
    """The listening TCP socket with descriptor `fd`. Raises StartError if it is not one."""
    try:
        os.set_inheritable(fd, False)
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise StartError(_wrong(source, fd, name, "not a socket"))
        sock = socket.socket(fileno=fd)
        what = _what_else(sock)
    except OSError as error:
        raise StartError(_wrong(source, fd, name, f"not open ({error.strerror})")) from error
    if what:
        sock.close()
        raise StartError(_wrong(source, fd, name, what))
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    return PassedSocket(name, sock)


def _what_else(sock: socket.socket) -> str:
    """What it is if it is not a listening TCP socket, or ""."""
    if sock.family not in _FAMILIES:
        return "a Unix socket" if sock.family == socket.AF_UNIX else "of a family other than IPv4 and IPv6"
    if sock.type != socket.SOCK_STREAM:
        return "a datagram socket (ListenDatagram=)"
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "a socket that does not listen (does the unit have Accept=yes?)"
    return ""


def _wrong(source: str, fd: int, name: str, what: str) -> str:
    shown = f"descriptor {fd} ({name})" if name else f"descriptor {fd}"
    return f"{source} passed {shown}, which is {what}; lb needs listening TCP sockets (ListenStream=PORT, Accept=no)"
