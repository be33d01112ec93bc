"""The handover from one supervisor to the next in an upgrade, and their messages while both live.

The predecessor starts the successor with open descriptors and one environment variable that describes them: the
listening sockets, a line, instance health, counters, and the real stderr. The keys of session tickets are sent over the
line. Until the successor has everything, its stderr leads to the predecessor, which reports a failure. Then: "ready"
when it serves → the predecessor retires and closes the line → the successor is the service. Both sides are in this
file, since they must agree across versions: unknown parts of the variable are ignored.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass

from lb.control.upgrade import counters, health
from lb.process.memfd import unwrap_bytes
from lb.process.start_error import StartError
from lb.routing.health_table import Condition
from lb.sockets.inherited import InheritedSockets, PassedSocket, open_passed
from lb.telemetry.inherited_counters import InheritedCounters
from lb.telemetry.stderr import finish_stderr, reopen_stderr

VARIABLE = "LB_UPGRADE"
READY = b"ready\n"
_NOT_FOR_IT = ("WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")  # each is for one process only
_TIMEOUT = 5.0  # seconds for the predecessor to retire
_STDERR = 2
_TIMEOUT = 10.0  # seconds that a predecessor has to step back


@dataclass(frozen=True, slots=True)
class Handover:
    """The predecessor's side: its listening sockets, each with its scheme, the keys of its session tickets, and
    descriptors of instance health, of counters, and of the `slabs` in which counting continues.
    """

    listening: tuple[tuple[str, socket.socket], ...]
    admin: tuple[tuple[str, socket.socket], ...]
    tickets: bytes = b""
    health: int = -1
    counted: int = -1
    slabs: tuple[int, ...] = ()

    def descriptors(self) -> list[int]:
        sockets = [fd for passed in (_once(self.listening), _once(self.admin)) for _, fd in passed]
        return [*sockets, *self._parcels(), *self.slabs]

    def close(self) -> None:
        """Closes what was made for the successor only."""
        for parcel in self._parcels():
            os.close(parcel)

    def _parcels(self) -> list[int]:
        return [parcel for parcel in (self.health, self.counted) if parcel >= 0]

    def environment(self, environ: Mapping[str, str], line: int, stderr: int) -> dict[str, str]:
        """The successor's environment; `line` and `stderr` are descriptors. Secrets are sent over the line."""
        said = {
            "from": os.getpid(),
            "listening": _once(self.listening),
            "admin": _once(self.admin),
            "tickets": len(self.tickets),
            "health": self.health,
            "counted": self.counted,
            "line": line,
            "stderr": stderr,
        }
        kept = {name: value for name, value in environ.items() if name not in _NOT_FOR_IT}
        return {**kept, VARIABLE: json.dumps(said)}


@dataclass(slots=True)
class Takeover:
    """The successor's side of the handover."""

    predecessor: int
    listening: InheritedSockets
    admin: InheritedSockets
    tickets: bytes
    health: Mapping[bytes, Condition]
    earlier: InheritedCounters
    _line: socket.socket
    _stderr: int

    def speak_for_itself(self) -> None:
        """From now on the predecessor does not read stderr."""
        sys.stderr.flush()
        finish_stderr()
        os.dup2(self._stderr, _STDERR)
        os.close(self._stderr)
        reopen_stderr()

    def succeed(self) -> None:
        """Now that this process serves: lets the predecessor retire, and returns when this is the main process."""
        with self._line as line, suppress(OSError):
            line.settimeout(_TIMEOUT)  # a hanging predecessor must not block the supervisor
            line.sendall(READY)
            line.recv(1)

    def forget(self) -> None:
        """In a child: the line is the supervisor's alone."""
        self._line.close()


def from_predecessor(environ: MutableMapping[str, str]) -> Takeover | None:
    """The handover, if this process was started by an upgrade; the variable is removed.

    Raises StartError if the variable is malformed.
    """
    text = environ.pop(VARIABLE, "")
    if not text:
        return None
    try:
        said = json.loads(text)
        source = f"process {said['from']}"
        for descriptor in (said["line"], said["stderr"]):
            os.set_inheritable(descriptor, False)
        line = socket.socket(fileno=said["line"])
        line.settimeout(_TIMEOUT)
        return Takeover(
            said["from"],
            InheritedSockets(source, _open(source, said["listening"])),
            InheritedSockets(source, _open(source, said["admin"])),
            line.recv(said["tickets"], socket.MSG_WAITALL) if said.get("tickets") else b"",
            health.read_back(_opened(said.get("health", -1)) or b"[]"),
            _earlier(_opened(said.get("counted", -1))),
            line,
            said["stderr"],
        )
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise StartError(f"{VARIABLE} is for `lb upgrade` only, and this value is not from there: {text}") from error


def _earlier(text: bytes) -> InheritedCounters:
    return counters.read_back(text) if text else InheritedCounters()


def _opened(parcel: int) -> bytes:
    """Its content, empty if there is none."""
    if parcel < 0:
        return b""
    try:
        return unwrap_bytes(parcel)
    finally:
        os.close(parcel)


def _once(sockets: Iterable[tuple[str, socket.socket]]) -> list[tuple[str, int]]:
    """Each socket once, by any of its descriptors: slots may share it."""
    first = {os.fstat(sock.fileno()).st_ino: (scheme, sock.fileno()) for scheme, sock in reversed(list(sockets))}
    return list(reversed(first.values()))


def _open(source: str, passed: Iterable[tuple[str, int]]) -> list[PassedSocket]:
    return [open_passed(source, fd, scheme) for scheme, fd in passed]
