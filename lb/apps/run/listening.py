"""On what an app's processes really listen, as /proc says it, and who holds a port that an app wanted."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from lb.apps.run import process_tree
from lb.apps.run.usage import sockets_of

_LISTEN = b"0A"
_ACCEPTS = 0x10000  # of /proc/net/unix's flags
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
    def everywhere(self) -> bool:
        """Whether every network of the machine reaches it."""
        return self.host in _EVERYWHERE


def listeners(pids: Iterable[int]) -> list[AppListener]:
    """What these processes listen on, each once. They are of one network namespace, that of the last."""
    pids = list(pids)
    held = sockets_of(pids)
    if not pids or not held:
        return []
    found = {listener for pid in (pids[0], pids[-1]) for inode, listener in _table(pid) if inode in held}
    return sorted(found, key=lambda one: (one.path, one.port, one.host))


def port_owner(port: int) -> str:
    """`python (process 123)` for the process that listens on a port here; "" if none does, or it is hidden."""
    inodes = {inode for inode, listener in _tcp("/proc/self/net") if listener.port == port}
    for pid in process_tree.pids() if inodes else ():
        if inodes & sockets_of([pid]):
            name = process_tree.read(f"/proc/{pid}/comm").decode("utf-8", "replace").strip()
            return f"{name} (process {pid})"
    return ""


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


def _table(pid: int) -> list[tuple[int, AppListener]]:
    return [*_tcp(f"/proc/{pid}/net"), *_unix(f"/proc/{pid}/net")]


def _tcp(directory: str) -> list[tuple[int, AppListener]]:
    found = []
    for name in ("tcp", "tcp6"):
        for line in process_tree.read(f"{directory}/{name}").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN:
                host, _, port = fields[1].decode().partition(":")
                found.append((int(fields[9]), AppListener(_address(host), int(port, 16))))
    return found


def _unix(directory: str) -> list[tuple[int, AppListener]]:
    found = []
    for line in process_tree.read(f"{directory}/unix").splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and int(fields[3], 16) & _ACCEPTS:
            found.append((int(fields[6]), AppListener(path=fields[7].decode("utf-8", "replace"))))
    return found


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's own byte order."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
