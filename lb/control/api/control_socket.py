"""Where the supervisor of a configuration file and the commands about that file meet: a Unix socket.

Its name is made from the file's path, its directory is one that only this user (or the service manager) can write to:
$RUNTIME_DIRECTORY under systemd, else $XDG_RUNTIME_DIR/lb, else /tmp/lb-UID. This file knows paths and sockets, and
nothing of what is said over them.
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
from lb.tls.files.locking import PATIENCE, locked, shared

_QUEUE = 16  # connections that may wait to be accepted
_SHOWN = 24  # characters of the file's name in the socket's: a socket's path has room for 107 in all
_PATIENCE = 5.0  # seconds to connect
_OURS = re.compile(r"[\w-]{1,24}-[0-9a-f]{16}\.(sock|old|end)")  # what `_name` makes
_SERVING = ".sock"
_DRAINING = ".end"  # a service that drains has this ending instead, so that the next one may have the name
_SYSTEM = Path("/run/lb")  # what RuntimeDirectory=lb makes, for those who call from outside of the unit
_PLACES_OF_USERS = ("tmp/lb-*", "run/user/*/lb")


@dataclass(frozen=True, slots=True)
class Meeting:
    """The supervisor's side: a listening socket, the names by which it is found, and what tells it from others."""

    listener: socket.socket
    paths: tuple[Path, ...]
    identity: tuple[int, int]

    @property
    def is_found(self) -> bool:
        """Whether every name still leads here: somebody may have removed one, or the directory."""
        return all(_leads_to(path, self.identity) for path in self.paths)

    def step_back(self) -> Meeting:
        """Be found only where nobody else serves the file: what drains makes room for the next service."""
        behind = tuple(path.with_suffix(_DRAINING) for path in self.paths)
        with suppress(OSError), locked(self.paths[0].parent, patience=0.0):
            if _identity(self.paths[0]) == self.identity:
                self.paths[0].rename(behind[0])
                for path, alias in zip(self.paths[1:], behind[1:], strict=True):
                    path.unlink(missing_ok=True)
                    alias.unlink(missing_ok=True)
                    alias.symlink_to(behind[0].name)
                return replace(self, paths=behind)
        return self

    def leave(self) -> None:
        """Be found no more. Names that somebody else, a successor, has taken meanwhile stay his."""
        if self.listener.fileno() < 0:
            return  # it has left already: what told its socket from others may be said of a successor's by now
        # The end waits for nobody: names that stay mean nothing, and go with the next start.
        with suppress(OSError), locked(self.paths[0].parent, patience=0.0):
            if _identity(self.paths[0]) == self.identity:
                for path in self.paths:
                    path.unlink()
        self.listener.close()


def open_meeting(
    file: Path, environ: Mapping[str, str], *, succeed: bool = False, instead_of: Meeting | None = None
) -> Meeting:
    """Listens for commands about the configuration `file`; `succeed` takes over from a supervisor that does, and
    `instead_of` is what this one has listened on before.

    Names left by processes that are gone are taken over in any case. Raises StartError when another supervisor serves
    this file, and OSError when there can be no such socket.
    """
    directory = _own_directory(environ)
    names = _names(file) if instead_of is None else [path.name for path in instead_of.paths]
    with locked(directory, patience=PATIENCE if instead_of is None else 0.0):  # who serves already waits for nobody
        paths = tuple(directory / name for name in names)
        if not succeed:
            ours = None if instead_of is None else instead_of.identity
            for path in paths:
                if not _leads_to(path, ours) and (holder := _holder(path)):
                    raise StartError(
                        f"{file} is already being served by {holder}; `lb reload {file}` applies changes to it"
                    )
        _sweep(directory)
        with _set_aside(paths[0]):
            listener = _listen(paths[0])
        for alias in paths[1:]:
            alias.unlink(missing_ok=True)
            alias.symlink_to(names[0])
        return Meeting(listener, paths, _identity(paths[0]))


def meet(file: Path, environ: Mapping[str, str]) -> socket.socket | None:
    """A connection to the supervisor that serves `file`, or drains where none does; None when there is none.

    Raises PermissionError when it is another user's, TimeoutError when some process keeps the lock of the place.
    """
    sock = _met(_names(file), environ)
    return sock if sock is not None else meet_draining(file, environ)


def meet_draining(file: Path, environ: Mapping[str, str]) -> socket.socket | None:
    """A connection to a supervisor that served `file` and drains; None when there is none. Raises PermissionError."""
    return _met([Path(name).with_suffix(_DRAINING).name for name in _names(file)], environ)


def _met(names: Iterable[str], environ: Mapping[str, str]) -> socket.socket | None:
    for directory in _directories(environ):
        for name in names:
            if (sock := _connected(directory / name)) is not None:
                return sock
    return None


def services(environ: Mapping[str, str]) -> list[Path]:
    """The sockets of all services that commands of this user reach: of those that serve or, if none does, of those
    that drain.
    """
    found: dict[str, list[Path]] = {_SERVING: [], _DRAINING: []}
    for directory in dict.fromkeys(path.resolve() for path in _directories(environ)):
        with suppress(OSError):
            for path in sorted(directory.iterdir()):
                if path.suffix in found and _OURS.fullmatch(path.name) and not path.is_symlink() and _holder(path):
                    found[path.suffix].append(path)
    return found[_SERVING] or found[_DRAINING]


def connected(path: Path) -> socket.socket | None:
    """A connection to the supervisor whose socket this is. Raises PermissionError when it is another user's."""
    return _connected(path)


def users_elsewhere() -> list[int]:
    """The users whose services run where commands of this user do not look, as far as he may see that."""
    users: set[int] = set()
    for places in _PLACES_OF_USERS:
        for path in Path("/").glob(f"{places}/*{_SERVING}"):
            with suppress(OSError):
                if _OURS.fullmatch(path.name) and _holder(path):
                    users.add(path.lstat().st_uid)
    return sorted(users)


def user_elsewhere(file: Path) -> int | None:
    """The user whose service of `file` is where commands of this user do not look, as far as he may see that."""
    for places in _PLACES_OF_USERS:
        for place in Path("/").glob(places):
            for path in (place / name for name in _names(file)):
                with suppress(OSError):
                    found = path.lstat()
                    if stat.S_ISSOCK(found.st_mode) and _holder(path):
                        return found.st_uid
    return None


def _connected(path: Path) -> socket.socket | None:
    """A connection to whoever listens at `path`. Raises PermissionError and TimeoutError."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(_PATIENCE)
    try:
        with shared(path.parent):  # a successor may just be taking over: then there is no such name
            sock.connect(str(path))
    except (PermissionError, TimeoutError):
        sock.close()
        raise
    except OSError:
        sock.close()
        return None
    return sock


def peer(connection: socket.socket) -> int:
    """The process at the other end of a Unix socket; 0 where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def _names(file: Path) -> tuple[str, ...]:
    """By the file's real path, and by the path as it was given where that is another: a link may come to lead
    elsewhere while the supervisor runs.
    """
    given = os.path.abspath(file)  # noqa: PTH100  `absolute` leaves ".." in it
    return tuple(dict.fromkeys(_name(path) for path in (os.path.realpath(given), given)))


def _name(path: str) -> str:
    stem = "".join(letter if letter.isalnum() else "-" for letter in Path(path).stem)[:_SHOWN]
    return f"{stem}-{sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


def _directories(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where a supervisor may listen, seen from a command that need not have its environment."""
    if directory := _runtime_directory(environ):
        yield directory
    yield _SYSTEM
    for runtime in dict.fromkeys((environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}")):
        if runtime:
            yield Path(runtime) / "lb"
    with suppress(OSError):
        yield _checked(_fallback())


def _own_directory(environ: Mapping[str, str]) -> Path:
    """Where this process listens, made if need be. Raises OSError."""
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
    return Path(f"/tmp/lb-{os.getuid()}")  # noqa: S108  _checked looks whose it is


def _checked(directory: Path) -> Path:
    """In /tmp anybody may have made it, or put a link in its place. Raises OSError."""
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(0, "it is not a directory of this user alone", str(directory))
    return directory


def _sweep(directory: Path) -> None:
    """Removes the names of supervisors that were killed. Needs the lock: others might be about to listen."""
    for path in directory.iterdir():
        if _OURS.fullmatch(path.name) and (path.is_symlink() or path.is_socket()) and not _holder(path):
            path.unlink(missing_ok=True)


@contextmanager
def _set_aside(path: Path) -> Iterator[None]:
    """Frees the name of a predecessor who still lives; it is his again if that was in vain.

    A socket has the name for good that it was bound to, so it must be the right one from the beginning.
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
        path.chmod(0o600)  # nobody could connect so far: it does not listen yet
        listener.listen(_QUEUE)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _holder(path: Path) -> str:
    """Who listens at `path`, "" if nobody does."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except BlockingIOError:
            return "a process that takes no commands at present"  # its queue is full
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
    """What tells the socket at `path` from others that have been there. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino
