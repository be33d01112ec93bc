"""`lb healthcheck FILE`: whether the running service of a configuration file serves, for regular checks."""

from __future__ import annotations

from pathlib import Path

import click

from lb.cli.asking import ask, file_argument, the_file
from lb.cli.exits import FAILED, fail
from lb.control.api.command import Command

_TIMEOUT = 4.0  # seconds: callers usually give up after five or more


@click.command()
@file_argument
def healthcheck(file: Path | None) -> None:
    """Check whether the service of FILE serves: exit code 0 if it does, 1 if it starts, drains or does not answer.

    For a container's HEALTHCHECK and other regular checks. FILE may be left out if only one service runs.
    """
    file = the_file(file, "healthcheck")
    answer = ask(file, Command.STATUS, _TIMEOUT)
    if not answer["ok"]:
        fail(answer["error"], FAILED)
    if answer["state"] != "ready":
        fail(f"the service is {answer['state']}", FAILED)
    click.echo("ready")
