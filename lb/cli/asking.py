"""Requests to the running service of a configuration file: how commands find it, and their errors without one."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import NoReturn

import click

from lb.cli.exits import FAILED, USAGE, fail
from lb.config.problems import printable
from lb.control.api.command import Command
from lb.control.api.control_socket import connected, meet, services, user_elsewhere, users_elsewhere
from lb.control.api.server import Answer

_CHUNK = 65536

_QUICK = 5.0  # seconds that a service has to name the file it serves

file_argument = click.argument("file", required=False, type=click.Path(path_type=Path))


def ask(file: Path, command: Command, timeout: float) -> Answer:
    """The answer of the service that serves `file`; ends the command with the reason if none comes within `timeout`
    seconds.
    """
    shown = printable(str(file))
    try:
        connection = meet(file, os.environ)
    except PermissionError:
        fail(f"the service of {shown} belongs to another user: run this as that user, or as root", FAILED)
    except TimeoutError as error:
        place = f" ({printable(error.filename)})" if error.filename else ""
        fail(f"the service of {shown} cannot be reached: {error.strerror or error}{place}", FAILED)
    if connection is None and not file.exists():
        fail(f"{shown} does not exist, and no service runs for it", FAILED)
    if connection is None and (user := user_elsewhere(file)) is not None:
        fail(f"the service of {shown} belongs to user {user}: run this as that user (sudo -u '#{user}')", FAILED)
    if connection is None:
        fail(f"{shown} is not running, or belongs to another user; `lb serve {shown}` starts it", FAILED)
    return _asked(connection, f"the service of {shown}", command, timeout)


def the_file(file: Path | None, command: str) -> Path:
    """`file`, or that of the only running service; ends the command if none or several run."""
    if file is not None:
        return file
    files = [found for path in services(os.environ) if (found := _file_of(path)) is not None]
    if len(files) != 1:
        _refuse_to_choose(files, command)
    return files[0]


def _refuse_to_choose(files: list[Path], command: str) -> NoReturn:
    if files:
        commands = ", ".join(f"`lb {command} {printable(str(one))}`" for one in files)
        fail(f"{len(files)} services run; name one of their files: {commands}", USAGE)
    if users := users_elsewhere():
        names = " and ".join(f"user {user}" for user in users)
        how = f"run this as that user (sudo -u '#{users[0]}')"
        fail(f"no service of this user runs, but one of {names} does: {how}", FAILED)
    fail("no service with a configuration file is running; `lb serve FILE` starts one", FAILED)


def _file_of(path: Path) -> Path | None:
    """The file of the service behind this socket; None if it has ended, or belongs to another user."""
    try:
        connection = connected(path)
    except PermissionError:
        return None
    if connection is None:
        return None
    answer = _asked(connection, f"the service at {path}", Command.STATUS, _QUICK)
    return Path(answer["file"]) if answer.get("file") else None


def _asked(connection: socket.socket, service: str, command: Command, timeout: float) -> Answer:
    with connection:
        connection.settimeout(timeout)
        try:
            connection.sendall(json.dumps({"command": command}).encode() + b"\n")
            line = _read_line(connection)
        except TimeoutError:
            fail(f"{service} has not answered for {timeout:.0f} s", FAILED)
        except OSError as error:
            fail(f"{service} cannot be reached: {error.strerror}", FAILED)
    if not line:
        fail(f"{service} ended before it answered", FAILED)
    answer: Answer = json.loads(line)
    return answer


def _read_line(connection: socket.socket) -> bytes:
    """The line, or nothing if the connection ended before it was complete."""
    pieces = []
    while piece := connection.recv(_CHUNK):
        pieces.append(piece)
        if piece.endswith(b"\n"):
            return b"".join(pieces)
    return b""
