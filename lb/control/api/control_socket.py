"""The control socket: the Unix socket over which commands reach the supervisor of a configuration file.

Its name is derived from the file's path; its directory is writable only for this user (or the service manager):
$RUNTIME_DIRECTORY under systemd, else $XDG_RUNTIME_DIR/lb, else /tmp/lb-UID. This file knows paths and sockets, but not
the commands.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from lb.process.start_error import StartError
from lb.tls.files.locking import TIMEOUT, locked, shared

_QUEUE = 16  # connections that may wait to be accepted
_SHOWN = 24  # characters of the file's name in the socket's: a socket's path has room for 107
_TIMEOUT = 5.0  # seconds to connect
_OURS = re.compile(r"[\w-]{1,24}-[0-9a-f]{16}\.(sock|old|end)")  # the names that `_name` makes
_SERVING = ".sock"
_DRAINING = ".end"  # a draining service has this ending instead, so that the name is free for the next one
_SYSTEM = Path("/run/lb")  # the directory of RuntimeDirectory=lb, for commands from outside the unit
_PLACES_OF_USERS = ("tmp/lb-*", "run/user/*/lb")


@dataclass(frozen=True, slots=True)
class ControlSocket:
    """The supervisor's side: a listening socket, the names by which it is found, and its identity."""

    listener: socket.socket
    paths: tuple[Path, ...]
    identity: tuple[int, int]

    @property
    def is_found(self) -> bool:
        """Whether every name still leads here: a name, or the directory, may have been removed."""
        return all(_leads_to(path, self.identity) for path in self.paths)

    def step_back(self) -> ControlSocket:
        """Use the name for draining services, so that the next service can have the usual one."""
        behind = tuple(path.with_suffix(_DRAINING) for path in self.paths)
        with suppress(OSError), locked(self.paths[0].parent, timeout=0.0):
            if _identity(self.paths[0]) == self.identity:
                self.paths[0].rename(behind[0])
                for path, alias in zip(self.paths[1:], behind[1:], strict=True):
                    path.unlink(missing_ok=True)
                    alias.unlink(missing_ok=True)
                    alias.symlink_to(behind[0].name)
                return replace(self, paths=behind)
        return self

    def leave(self) -> None:
        """Remove the names. A name that a successor has taken meanwhile stays."""
        if self.listener.fileno() < 0:
            return  # it has left already: by now, a successor's socket may have the same identity
        # Do not wait at the end: names that stay do no harm, and the next start removes them.
        with suppress(OSError), locked(self.paths[0].parent, timeout=0.0):
            if _identity(self.paths[0]) == self.identity:
                for path in self.paths:
                    path.unlink()
        self.listener.close()


def open_meeting(
    file: Path, environ: Mapping[str, str], *, succeed: bool = False, instead_of: ControlSocket | None = None
) -> ControlSocket:
    """Listens for commands about the configuration `file`; `succeed` takes over from a supervisor that does, and
    `instead_of` is what this one has listened on before.

    Names of dead processes are always taken over. Raises StartError if another supervisor serves this file, and OSError
    if the socket cannot be made.
    """
    directory = _own_directory(environ)
    names = _names(file) if instead_of is None else [path.name for path in instead_of.paths]
    with locked(directory, timeout=TIMEOUT if instead_of is None else 0.0):  # a running service does not wait
        paths = tuple(directory / name for name in names)
        if not succeed:
            ours = None if instead_of is None else instead_of.identity
            for path in paths:
                if not _leads_to(path, ours) and (holder := _holder(path)):
                    raise StartError(f"{file} is already served by {holder}; `lb reload {file}` applies changes to it")
        _sweep(directory)
        with _set_aside(paths[0]):
            listener = _listen(paths[0])
        for alias in paths[1:]:
            alias.unlink(missing_ok=True)
            alias.symlink_to(names[0])
        return ControlSocket(listener, paths, _identity(paths[0]))


def meet(file: Path, environ: Mapping[str, str]) -> socket.socket | None:
    """A connection to the supervisor that serves `file` or, if there is none, to one that drains; else None.

    Raises PermissionError if it is another user's, TimeoutError if another process holds the directory's lock.
    """
    sock = _met(_names(file), environ)
    return sock if sock is not None else meet_draining(file, environ)


def meet_draining(file: Path, environ: Mapping[str, str]) -> socket.socket | None:
    """A connection to a draining supervisor of `file`; None if there is none. Raises PermissionError."""
    return _met([Path(name).with_suffix(_DRAINING).name for name in _names(file)], environ)


def _met(names: Iterable[str], environ: Mapping[str, str]) -> socket.socket | None:
    for directory in _directories(environ):
        for name in names:
            if (sock := _connected(directory / name)) is not None:
                return sock
    return None


def services(environ: Mapping[str, str]) -> list[Path]:
    """The sockets of all services that this user can reach: those that serve or, if none does, those that drain."""
    found: dict[str, list[Path]] = {_SERVING: [], _DRAINING: []}
    for directory in dict.fromkeys(path.resolve() for path in _directories(environ)):
        with suppress(OSError):
            for path in sorted(directory.iterdir()):
                if path.suffix in found and _OURS.fullmatch(path.name) and not path.is_symlink() and _holder(path):
                    found[path.suffix].append(path)
    return found[_SERVING] or found[_DRAINING]


def connected(path: Path) -> socket.socket | None:
    """A connection to the supervisor with this socket. Raises PermissionError if it is another user's."""
    return _connected(path)


def users_elsewhere() -> list[int]:
    """The users whose services run outside the directories that commands search, as far as that is visible."""
    users: set[int] = set()
    for places in _PLACES_OF_USERS:
        for path in Path("/").glob(f"{places}/*{_SERVING}"):
            with suppress(OSError):
                if _OURS.fullmatch(path.name) and _holder(path):
                    users.add(path.lstat().st_uid)
    return sorted(users)


def user_elsewhere(file: Path) -> int | None:
    """The user whose service of `file` is outside the directories that commands search, as far as that is visible."""
    for places in _PLACES_OF_USERS:
        for place in Path("/").glob(places):
            for path in (place / name for name in _names(file)):
                with suppress(OSError):
                    found = path.lstat()
                    if stat.S_ISSOCK(found.st_mode) and _holder(path):
                        return found.st_uid
    return None


def _connected(path: Path) -> socket.socket | None:
    """A connection to the process that listens at `path`. Raises PermissionError and TimeoutError."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(_TIMEOUT)
    try:
        with shared(path.parent):  # while a successor takes over, the name is missing for a moment
            sock.connect(str(path))
    except (PermissionError, TimeoutError):
        sock.close()
        raise
    except OSError:
        sock.close()
        return None
    return sock


def peer(connection: socket.socket) -> int:
    """The process at the other end of a Unix socket; 0 if unknown."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def _names(file: Path) -> tuple[str, ...]:
    """One for the file's real path, and one for the given path if it differs: a link may change while the supervisor
    runs.
    """
    given = os.path.abspath(file)  # noqa: PTH100  `absolute` leaves ".." in it
    return tuple(dict.fromkeys(_name(path) for path in (os.path.realpath(given), given)))


def _name(path: str) -> str:
    stem = "".join(letter if letter.isalnum() else "-" for letter in Path(path).stem)[:_SHOWN]
    return f"{stem}-{sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


def _directories(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where a supervisor may listen, for a command that need not have the same environment."""
    if directory := _runtime_directory(environ):
        yield directory
    yield _SYSTEM
    for runtime in dict.fromkeys((environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}")):
        if runtime:
            yield Path(runtime) / "lb"
    with suppress(OSError):
        yield _checked(_fallback())


def _own_directory(environ: Mapping[str, str]) -> Path:
    """The directory in which this process listens, created if missing. Raises OSError."""
    if directory := _runtime_directory(environ):
        return directory
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    directory = Path(runtime) / "lb" if runtime else _fallback()
    directory.mkdir(mode=0o700, exist_ok=True)
    return _checked(directory)


def _runtime_directory(environ: Mapping[str, str]) -> Path | None:
    first = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(first) if first else None


def _fallback() -> Path:
    return Path(f"/tmp/lb-{os.getuid()}")  # noqa: S108  _checked verifies the owner


def _checked(directory: Path) -> Path:
    """The directory if it is safe: in /tmp, another user may have made it, or put a link there. Raises OSError."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(0, "it is not a directory of this user only", str(directory))
    return directory


def _sweep(directory: Path) -> None:
    """Removes the names of killed supervisors. Needs the lock: others may be about to listen."""
    for path in directory.iterdir():
        if _OURS.fullmatch(path.name) and (path.is_symlink() or path.is_socket()) and not _holder(path):
            path.unlink(missing_ok=True)


@contextmanager
def _set_aside(path: Path) -> Iterator[None]:
    """Frees the name of a living predecessor; on a failure, the predecessor gets it back.

    A socket keeps the name that it was bound to, so that must be the right one from the start.
    """
    aside = path.with_suffix(".old")
    with suppress(FileNotFoundError):
        path.rename(aside)
    try:
        yield
    except BaseException:
        with suppress(FileNotFoundError):
            aside.rename(path)
        raise
    aside.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # no connection could be made so far: it does not listen yet
        listener.listen(_QUEUE)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _holder(path: Path) -> str:
    """The process that listens at `path`, in words; "" if there is none."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except BlockingIOError:
            return "a process that accepts no commands at the moment"  # its queue is full
        except PermissionError:
            return "a process of another user"
        except OSError:
            return ""
        return f"process {peer(sock)}"


def _leads_to(path: Path, identity: tuple[int, int] | None) -> bool:
    try:
        return _identity(path) == identity
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int]:
    """What distinguishes the socket at `path` from earlier ones. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino
