"""Talking to the engine: how commands find it, hand over what it asks for, and show what it says.

The engine is found by `--file FILE`, by LB_FILE, or as the only one that runs; `ssh://…` has the other machine's lb do
that. This file knows the socket and the shape of events (lb.apps.service.api). What a command asks is its own business.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit

import click

from lb.apps.service.engine_socket import connect_to, engine_sockets, find_engine
from lb.apps.service.placements import PROTOCOL
from lb.cli.exits import FAILED, USAGE, fail
from lb.config.problems import printable

_CHUNK = 1 << 18
_INDENT = " " * 7
Event = dict[str, Any]

file_option = click.option(
    "--file",
    type=click.Path(path_type=Path),
    envvar="LB_FILE",
    help="The configuration file whose engine is meant; LB_FILE, or the only one that runs, without it.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs: JSON instead of words.")
staging_option = click.option("--staging", is_flag=True, help="Staging is meant, not production.")


def environment_of(*, staging: bool) -> str:
    return "staging" if staging else "production"


@dataclass(slots=True)
class EngineLine:
    """A connection, over which lines of JSON go both ways."""

    read: IO[bytes]
    write: Callable[[bytes], object]
    close: Callable[[], object]
    descriptor: int = -1  # of the socket, where there is one

    def send(self, message: Mapping[str, Any]) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def events(self) -> Iterator[Event]:
        for line in self.read:
            event: Event = json.loads(line)
            yield event

    def send_source(self, source: IO[bytes]) -> None:
        """The archive, piece by piece."""
        while piece := source.read(_CHUNK):
            self.write(b'{"chunk": %d}\n' % len(piece) + piece)
        self.write(b'{"chunk": 0}\n')


def connect(file: Path | None, to: str | None = None) -> EngineLine:
    """A line to the engine that is meant; ends the command with the reason where there is none."""
    if to is not None:
        return _over_ssh(to, file)
    connection = _find(file)
    connection.settimeout(None)
    return EngineLine(connection.makefile("rb"), connection.sendall, connection.close, connection.fileno())


def _find(file: Path | None) -> socket.socket:
    try:
        if file is not None:
            connection = find_engine(file, os.environ)
            return connection if connection is not None else _no_engine(file)
        sockets = engine_sockets(os.environ)
        if len(sockets) > 1:
            files = ", ".join(filter(None, map(_file_of, sockets)))
            fail(f"{len(sockets)} engines run: name the file of one with --file ({files})", USAGE)
        found = connect_to(sockets[0]) if sockets else None
    except PermissionError:
        fail("the engine belongs to another user: do this as that user, or as root", FAILED)
    except TimeoutError:
        fail("the engine takes no connection: it may be stopped or overloaded", FAILED)
    if found is None:
        fail("no engine runs; `lb engine start FILE` starts one", FAILED)
    return found


def _no_engine(file: Path) -> NoReturn:
    shown = printable(str(file))
    if not file.exists():
        fail(f"there is no file {shown}", FAILED)
    fail(f"no engine runs for {shown}; `lb engine start {shown}` starts one", FAILED)


def _file_of(path: Path) -> str:
    with suppress(OSError, ValueError):
        connection = connect_to(path)
        if connection is not None:
            with connection:
                connection.settimeout(5.0)
                connection.sendall(b'{"protocol": 1, "command": "hello"}\n')
                return str(json.loads(connection.makefile("rb").readline()).get("file", ""))
    return ""


def _over_ssh(to: str, file: Path | None) -> EngineLine:
    """The other machine's `lb engine stdio` is the line."""
    parts = urlsplit(to)
    if parts.scheme != "ssh" or not parts.hostname or parts.path.strip("/") or parts.hostname.startswith("-"):
        fail(f"--to {printable(to)}: write ssh://host, ssh://user@host or ssh://user@host:port", USAGE)
    target = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname
    port = ["-p", str(parts.port)] if parts.port else []
    remote = ["lb", "engine", "stdio", *(["--file", str(file)] if file is not None else [])]
    program = shlex.split(os.environ.get("LB_SSH", "ssh"))
    command = [*program, *port, "--", target, shlex.join(remote)]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for us to answer; ssh inherits that
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
    except OSError as error:
        fail(f"{program[0]} cannot be started: {error.strerror}", FAILED)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdin is not None  # noqa: S101  a pipe was asked for
    assert process.stdout is not None  # noqa: S101  the same
    stdin = process.stdin

    def write(data: bytes) -> None:
        stdin.write(data)
        stdin.flush()

    def close() -> None:
        with suppress(OSError):
            stdin.close()
        process.wait()

    return EngineLine(process.stdout, write, close)


def ask(line: EngineLine, request: Mapping[str, Any], on_event: Callable[[Event], None] | None = None) -> Event:
    """The result of a request; the events before it go to `on_event`. Ends the command where the engine goes away."""
    try:
        line.send({"protocol": PROTOCOL, **request})
        return follow(line, on_event)
    except OSError as error:
        fail(f"the engine cannot be asked: {error.strerror}", FAILED)
    except ValueError:
        fail("the engine's answer is not in its protocol: is it another version?", FAILED)


def follow(line: EngineLine, on_event: Callable[[Event], None] | None = None) -> Event:
    """Events until the result."""
    for event in line.events():
        if event.get("event") == "result" or "ok" in event:
            return event
        if on_event is not None:
            on_event(event)
    return fail("the engine ended before it answered; what had begun is settled when it is back (lb ps)", FAILED)


def simple(file: Path | None, request: Mapping[str, Any]) -> Event:
    """Asks, and ends the command where the answer is no."""
    line = connect(file)
    result = ask(line, request)
    line.close()
    refuse(result)
    return result


def refuse(result: Event) -> None:
    """Ends the command with what failed and what to do, and the exit code that fits."""
    if result.get("ok"):
        return
    show_lines(result.get("lines", ()))
    click.echo(f"lb: {result.get('sentence', 'it failed')}", err=True)
    if result.get("next_step"):
        click.echo(f"    {result['next_step']}", err=True)
    raise click.exceptions.Exit(int(result.get("code", FAILED)))


def show_lines(lines: object) -> None:
    """The last lines of what failed, indented."""
    if isinstance(lines, (list, tuple)):
        for text in lines:
            click.echo(f"{_INDENT}{printable(str(text))}", err=True)


def show_event(event: Event) -> None:
    """A step or a line of a deploy, as Heroku shows them."""
    text = printable(str(event.get("text", "")))
    if event.get("event") == "step":
        click.echo(f"{click.style('----->', bold=True)} {text}")
    elif event.get("event") == "line":
        click.echo(f"{_INDENT}{text}")
    sys.stdout.flush()


def finish(result: Event, *, as_json: bool) -> None:
    """Shows a result: JSON, or its sentence; ends the command where it failed."""
    if as_json:
        click.echo(json.dumps(result, indent=2))
        if not result.get("ok"):
            raise click.exceptions.Exit(int(result.get("code", FAILED)))
        return
    refuse(result)
    if sentence := result.get("sentence"):
        click.echo(f"{sentence[:1].upper()}{sentence[1:]}")
    for more in (*result.get("urls", ()), *filter(None, [result.get("next_step")])):
        click.echo(f"{_INDENT}{printable(str(more))}")
