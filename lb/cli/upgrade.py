"""`lb upgrade FILE`: the running service goes on in a new process, with the program as it is installed now."""

from __future__ import annotations

from pathlib import Path

import click

from lb.cli.asking import ask, file_argument, the_file
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail
from lb.control.api.command import Command
from lb.control.upgrade.launch import PATIENCE


@click.command()
@file_argument
def upgrade(file: Path | None) -> None:
    """Replace the service that serves FILE by the program as it is installed now.

    FILE may be left out where one service runs. The new process takes over the listening sockets; the old one finishes
    what it has begun, and ends. When the new one cannot serve, the old one goes on: exit code 78 if the new one refused
    the configuration, else 1.
    """
    file = the_file(file, "upgrade")
    answer = ask(file, Command.UPGRADE, PATIENCE + 10)
    if answer["ok"]:
        click.echo(f"process {answer['successor']} serves now; process {answer['predecessor']} ends what it has begun")
        return
    code = BAD_CONFIGURATION if answer.get("status") == BAD_CONFIGURATION else FAILED
    fail(f"no upgrade, and the service goes on as it was: {answer['error']}", code)
