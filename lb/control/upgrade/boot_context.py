"""The context of a start: which file the service serves, which sockets it inherits, and which process it replaces.

There are three ways to start. By hand, there is only the control socket to open; systemd may pass listening sockets;
and a predecessor hands over its sockets and, when this process serves, its place.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lb.control.api.command import Command
from lb.control.api.control_socket import ControlSocket, meet_draining, open_meeting
from lb.control.upgrade.handover import Takeover, from_predecessor
from lb.process.start_error import StartError
from lb.sockets.inherited import InheritedSockets, from_systemd

log = logging.getLogger("lb.control")

_TIMEOUT = 5.0  # seconds for that


@dataclass(slots=True)
class BootContext:
    """`listening` and `admin` are inherited sockets, used before new ones are bound; `meeting` is the control socket of
    `file`, None without a file and until a predecessor has given up its own.
    """

    file: Path | None
    listening: InheritedSockets
    admin: InheritedSockets
    meeting: ControlSocket | None
    succession: Takeover | None
    _said: str = ""  # why the control socket cannot be made again, as logged last

    def complete(self) -> None:
        """The service has everything that it needs."""
        self.listening.close_unused()
        self.admin.close_unused()
        if self.succession is not None:
            self.succession.speak_for_itself()

    def give_up(self) -> None:
        """There will be no service."""
        if self.meeting is not None:
            self.meeting.leave()

    def step_back(self) -> None:
        """The service drains: commands still reach it unless another service has the file."""
        if self.meeting is not None:
            self.meeting = self.meeting.step_back()

    def keep_meeting(self) -> socket.socket | None:
        """Check whether commands still find the service. If its names are gone, make them again, and return the new
        listening socket. A failure is logged once.
        """
        old = self.meeting
        if self.file is None or old is None or old.listener.fileno() < 0 or old.is_found:
            return None
        try:
            self.meeting = open_meeting(self.file, os.environ, instead_of=old)
        except (OSError, StartError) as error:
            if self._said != str(error):
                self._said = str(error)
                log.error("the control socket %s was removed and cannot be made again: %s", old.paths[0], error)  # noqa: TRY400
            return None
        self._said = ""
        log.warning("the control socket %s was removed: made again. No action is needed", old.paths[0])
        return self.meeting.listener

    def succeed(self) -> None:
        """The service serves: a predecessor, if any, retires."""
        if self.succession is None:
            return
        self.meeting = _open_meeting(self.file, os.environ, succeed=True)
        self.succession.succeed()

    def forget(self) -> None:
        """In a child: closes what is the supervisor's alone."""
        if self.meeting is not None:
            self.meeting.listener.close()
        if self.succession is not None:
            self.succession.forget()


def find_origin(file: Path | None, environ: MutableMapping[str, str]) -> BootContext:
    """Reads the variables of `environ` and removes them: they are not for child processes.

    Raises StartError if another service serves `file`, or a passed descriptor is not a listening socket.
    """
    passed, succession = from_systemd(environ), from_predecessor(environ)
    if succession is not None:
        return BootContext(file, succession.listening, succession.admin, None, succession)
    return BootContext(file, passed, passed, _open_meeting(file, environ), None)


def release_admin(file: Path | None, environ: Mapping[str, str]) -> None:
    """Asks a draining service of `file`, if any, to give up its admin address. Binding the address shows whether it
    did.
    """
    if file is None:
        return
    with suppress(OSError):
        connection = meet_draining(file, environ)
        if connection is not None:
            with connection:
                connection.settimeout(_TIMEOUT)
                connection.sendall(json.dumps({"command": Command.RELEASE_ADMIN}).encode() + b"\n")
                connection.recv(1)


def _open_meeting(file: Path | None, environ: Mapping[str, str], *, succeed: bool = False) -> ControlSocket | None:
    if file is None:
        return None
    try:
        return open_meeting(file, environ, succeed=succeed)
    except OSError as error:
        log.warning("`lb reload`, `lb status` and `lb upgrade` will not work: no socket for them (%s)", error)
        return None
