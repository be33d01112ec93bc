"""On what an app's processes really listen, as /proc says it, and who holds a port that an app wanted."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lb.apps.run import process_tree
from lb.apps.run.usage import sockets_of

_LISTEN = b"0A"
_ACCEPTS = 0x10000  # of /proc/net/unix's flags
_LOCAL = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 -- named, not bound


@dataclass(frozen=True, slots=True)
class AppListener:
    """An address and a port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether a connection to 127.0.0.1 or ::1 may reach it."""
        return self.everywhere or self.host in _LOCAL

    @property
    def everywhere(self) -> bool:
        """Whether every network of the machine reaches it."""
        return self.host in _EVERYWHERE


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of one of the kernel's tables; `user` is -1 where it does not say."""

    inode: int
    listener: AppListener
    user: int = -1


def listeners(pids: Iterable[int]) -> list[AppListener]:
    """What these processes listen on, each once. They are of one network namespace, that of the last."""
    pids = list(pids)
    held = sockets_of(pids)
    if not pids or not held:
        return []
    found = {row.listener for pid in (pids[0], pids[-1]) for row in _table(pid) if row.inode in held}
    return sorted(found, key=lambda one: (one.path, one.port, one.host))


class PortHolder(Enum):
    """Whose the listeners on a port are."""

    NOBODY = "nobody"
    OWN = "own"
    OTHER = "other"  # also where some are its own and some are not: each would get a part of the connections


def port_holder(port: int, pids: Iterable[int]) -> PortHolder:
    """Whether a local connection to this port reaches these processes, and no other."""
    found = [one for one in _tcp("/proc/self/net") if one.listener.port == port and one.listener.is_local]
    if not found:
        return PortHolder.NOBODY
    pids = list(pids)
    held = sockets_of(pids)
    others = [one for one in found if one.inode not in held]
    if not others:
        return PortHolder.OWN
    # A process that may not be traced hides what it holds even from its own user; so does pasta.
    might_hide = len(others) == len(found) and any(not _shows_descriptors(pid) for pid in pids)
    is_hidden = might_hide and all(one.user == os.geteuid() for one in others) and not _visible_owner(others)
    return PortHolder.OWN if is_hidden else PortHolder.OTHER


def port_owner(port: int, pids: Iterable[int] = (), *, is_local: bool = False) -> str:
    """`python (process 123)` for the process that listens on a port here and is none of `pids`; "" if there is none.
    With `is_local` only one that connections of this machine may reach.
    """
    held = sockets_of(pids)
    rows = [one for one in _tcp("/proc/self/net") if one.listener.port == port and one.inode not in held]
    others = [one for one in rows if one.listener.is_local or not is_local]
    return (_visible_owner(others) or "a process of another user") if others else ""


def _visible_owner(found: Iterable[_Row]) -> str:
    inodes = {one.inode for one in found}
    for pid in process_tree.pids() if inodes else ():
        if inodes & sockets_of([pid]):
            name = process_tree.read(f"/proc/{pid}/comm").decode("utf-8", "replace").strip()
            return f"{name} (process {pid})"
    return ""


def _shows_descriptors(pid: int) -> bool:
    try:
        next(Path(f"/proc/{pid}/fd").iterdir(), None)
    except PermissionError:
        return False
    except OSError:
        return True  # it has ended
    return True


def beside_the_door(found: Iterable[AppListener], port: int) -> str:
    """What to say of an app that can be reached without the door (B3); "" if none can."""
    open_to_all = [listener for listener in found if listener.everywhere]
    if not open_to_all:
        return ""
    where = ", ".join(str(listener) for listener in open_to_all)
    return (
        f"The app listens on {where}, so clients can reach it without passing lb. Let it listen on 127.0.0.1, set "
        f"network: private, or close the port: nft add rule inet filter input iif != lo tcp dport {port} drop"
    )


def _table(pid: int) -> list[_Row]:
    return [*_tcp(f"/proc/{pid}/net"), *_unix(f"/proc/{pid}/net")]


def _tcp(directory: str) -> list[_Row]:
    found = []
    for name in ("tcp", "tcp6"):
        for line in process_tree.read(f"{directory}/{name}").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN:
                host, _, port = fields[1].decode().partition(":")
                found.append(_Row(int(fields[9]), AppListener(_address(host), int(port, 16)), int(fields[7])))
    return found


def _unix(directory: str) -> list[_Row]:
    found = []
    for line in process_tree.read(f"{directory}/unix").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and int(fields[3], 16) & _ACCEPTS:
            found.append(_Row(int(fields[6]), AppListener(path=fields[7].decode("utf-8", "replace"))))
    return found


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's own byte order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
