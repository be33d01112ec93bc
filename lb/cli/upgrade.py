"""`lb upgrade FILE`: a new process with the program as installed now takes over the running service."""

from __future__ import annotations

from pathlib import Path

import click

from lb.cli.asking import ask, file_argument, the_file
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail
from lb.control.api.command import Command
from lb.control.upgrade.launch import TIMEOUT


@click.command()
@file_argument
def upgrade(file: Path | None) -> None:
    """Replace the service of FILE with the program as it is installed now.

    FILE may be left out if only one service runs. The new process takes over the listening sockets; the old one
    finishes its requests and ends. If the new one cannot serve, the old one continues: exit code 78 if the new one
    rejected the configuration, otherwise 1.
    """
    file = the_file(file, "upgrade")
    answer = ask(file, Command.UPGRADE, TIMEOUT + 10)
    if answer["ok"]:
        click.echo(f"process {answer['successor']} serves now; process {answer['predecessor']} finishes its requests")
        return
    code = BAD_CONFIGURATION if answer.get("status") == BAD_CONFIGURATION else FAILED
    fail(f"the upgrade failed, and the service continues as before: {answer['error']}", code)
