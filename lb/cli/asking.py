"""Asking the running service of a configuration file: how commands find it, and what they say when there is none."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import click

from lb.cli.exits import FAILED, fail
from lb.config.problems import printable
from lb.control.commands import Answer
from lb.control.rendezvous import meet, user_elsewhere

_CHUNK = 65536

file_argument = click.argument("file", type=click.Path(path_type=Path))


def ask(file: Path, command: str, patience: float) -> Answer:
    """The answer of the service that serves `file`; ends the command with the reason when there is none within
    `patience` seconds.
    """
    shown = printable(str(file))
    try:
        connection = meet(file, os.environ)
    except PermissionError:
        fail(f"the service of {shown} belongs to another user: do this as that user, or as root", FAILED)
    except TimeoutError as error:
        place = f" ({printable(error.filename)})" if error.filename else ""
        fail(f"the service of {shown} cannot be asked: {error.strerror or error}{place}", FAILED)
    if connection is None and not file.exists():
        fail(f"there is no file {shown}, and nothing serves one of this name", FAILED)
    if connection is None and (user := user_elsewhere(file)) is not None:
        fail(f"the service of {shown} is user {user}'s: do this as that user (sudo -u '#{user}')", FAILED)
    if connection is None:
        fail(f"nothing serves {shown} at present that this user could ask; `lb serve {shown}` does", FAILED)
    with connection:
        connection.settimeout(patience)
        try:
            connection.sendall(json.dumps({"command": command}).encode() + b"\n")
            line = _read_line(connection)
        except TimeoutError:
            fail(f"the service of {shown} has not answered for {patience:.0f} s", FAILED)
        except OSError as error:
            fail(f"the service of {shown} cannot be asked: {error.strerror}", FAILED)
    if not line:
        fail(f"the service of {shown} ended before it answered", FAILED)
    answer: Answer = json.loads(line)
    return answer


def _read_line(connection: socket.socket) -> bytes:
    """The line, or nothing if the other side ended before it was whole."""
    pieces = []
    while piece := connection.recv(_CHUNK):
        pieces.append(piece)
        if piece.endswith(b"\n"):
            return b"".join(pieces)
    return b""
