"""Where the engine service of a configuration file listens, and how the door and commands find it.

Its socket is named after the configuration file, in a directory that only the engine's user can write to:
$RUNTIME_DIRECTORY under systemd (/run/lb-engine), else $XDG_RUNTIME_DIR/lb-engine, else /tmp/lb-engine-UID. Who may
say what is decided by the peer's user, which the kernel tells. This file knows paths and sockets, and no message.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lb.tls.files.locking import locked

_SYSTEM = Path("/run/lb-engine")
_OURS = re.compile(r"[\w-]{1,24}-[0-9a-f]{16}\.sock")
_SHOWN = 24  # characters of the file's name in the socket's: a socket's path has room for 107 in all
_QUEUE = 128
_PATIENCE = 5.0  # seconds to connect
_SO_PEERGROUPS = 59  # Linux: the supplementary groups of the peer


class EngineSocketError(Exception):
    """The engine cannot listen; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class EngineListener:
    """The engine's side."""

    listener: socket.socket
    path: Path
    identity: tuple[int, int]

    def close(self) -> None:
        """Be found no more; a socket that somebody else put there stays."""
        if self.listener.fileno() < 0:
            return  # what told its socket from others may be said of a successor's by now
        with suppress(OSError):
            found = self.path.stat()
            if (found.st_dev, found.st_ino) == self.identity:
                self.path.unlink()
        self.listener.close()


@dataclass(frozen=True, slots=True)
class PeerUser:
    """Who is at the other end."""

    pid: int
    user: int
    groups: frozenset[int]

    @property
    def may_command(self) -> bool:
        """The engine's own user, and root."""
        return self.user in (os.geteuid(), 0)

    @property
    def may_read(self) -> bool:
        """Members of the engine's group besides: the door is one (SupplementaryGroups= in its unit)."""
        return self.may_command or (os.getegid() != 0 and os.getegid() in self.groups)


def socket_name(file: Path) -> str:
    """The name of the socket of the engine that runs what `file` deploys."""
    path = os.path.realpath(file)
    stem = "".join(letter if letter.isalnum() else "-" for letter in Path(path).stem)[:_SHOWN]
    return f"{stem}-{sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


def open_listener(file: Path, environ: Mapping[str, str]) -> EngineListener:
    """Listens for the door and for commands. Raises EngineSocketError where another engine does, and OSError."""
    directory = own_directory(environ)
    path = directory / socket_name(file)
    with locked(directory):
        if (connection := connect_to(path)) is not None:
            pid = peer_user(connection).pid
            connection.close()
            raise EngineSocketError(f"an engine runs already for {file} (process {pid}); `lb engine stop` ends it")
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(path))
            path.chmod(0o660)  # nobody could connect so far: it does not listen yet
            listener.listen(_QUEUE)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        found = path.stat()
        return EngineListener(listener, path, (found.st_dev, found.st_ino))


def find_engine(file: Path, environ: Mapping[str, str]) -> socket.socket | None:
    """A connection to the engine of `file`; None where there is none. Raises PermissionError when it is another
    user's, TimeoutError when it takes no connection.
    """
    refused: PermissionError | None = None
    for directory in directories(environ):
        try:
            connection = connect_to(directory / socket_name(file))
        except PermissionError as error:
            refused = error
            continue
        if connection is not None:
            return connection
    if refused is not None:
        raise refused
    return None


def engine_sockets(environ: Mapping[str, str]) -> list[Path]:
    """The sockets of all engines that this user may see and that live."""
    found: dict[Path, None] = {}
    for directory in dict.fromkeys(path.resolve() for path in directories(environ)):
        with suppress(OSError):
            for path in sorted(directory.iterdir()):
                if _OURS.fullmatch(path.name) and _is_alive(path):
                    found[path] = None
    return list(found)


def connect_to(path: Path) -> socket.socket | None:
    """A connection to whoever listens at `path`; None if nobody does. Raises PermissionError and TimeoutError."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_PATIENCE)
    try:
        connection.connect(str(path))
    except (PermissionError, TimeoutError):
        connection.close()
        raise
    except OSError:
        connection.close()
        return None
    return connection


def peer_user(connection: socket.socket) -> PeerUser:
    """Who is at the other end of a Unix socket. Where the system does not tell, the directory's mode has decided."""
    if not hasattr(socket, "SO_PEERCRED"):
        return PeerUser(0, os.geteuid(), frozenset())
    pid, user, group = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    groups = {group}
    with suppress(OSError):
        packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * 1024)
        groups.update(struct.unpack(f"{len(packed) // 4}i", packed))
    return PeerUser(pid, user, frozenset(groups))


def directories(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where an engine may listen, seen from a command that need not have its environment."""
    if first := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        yield Path(first)
    yield _SYSTEM
    for runtime in dict.fromkeys((environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}")):
        if runtime:
            yield Path(runtime) / "lb-engine"
    with suppress(OSError):
        yield _checked(_fallback())


def own_directory(environ: Mapping[str, str]) -> Path:
    """Where this process listens, made if need be. Raises OSError."""
    if first := environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return Path(first)
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    directory = Path(runtime) / "lb-engine" if runtime else _fallback()
    directory.mkdir(mode=0o700, exist_ok=True)
    return _checked(directory)


def _fallback() -> Path:
    return Path(f"/tmp/lb-engine-{os.getuid()}")  # noqa: S108  _checked looks whose it is


def _checked(directory: Path) -> Path:
    """In /tmp anybody may have made it, or put a link in its place. Raises OSError."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(0, "it is not a directory of this user alone", str(directory))
    return directory


def _is_alive(path: Path) -> bool:
    try:
        connection = connect_to(path)
    except (PermissionError, TimeoutError):
        return True
    if connection is None:
        return False
    connection.close()
    return True
