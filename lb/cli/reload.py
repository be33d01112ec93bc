"""`lb reload FILE`: the running service applies the changed configuration file."""

from __future__ import annotations

from pathlib import Path

import click

from lb.cli.asking import ask, file_argument, the_file
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail
from lb.config.problems import printable
from lb.control.api.command import Command

_TIMEOUT = 150.0  # seconds: a reload may wait for the previous one


@click.command()
@file_argument
def reload(file: Path | None) -> None:
    """Apply a changed FILE to its running service, without closing a connection.

    FILE may be left out if only one service runs.

    Either everything takes effect or nothing. Exit code 78: FILE is wrong, and all mistakes are shown; 1: something it
    needs is not available, such as a port in use, or FILE has no running service.
    """
    file = the_file(file, "reload")
    answer = ask(file, Command.RELOAD, _TIMEOUT)
    shown = printable(str(file))
    if answer["ok"]:
        click.echo(f"nothing changed in {shown}" if answer.get("unchanged") else f"{shown} is in effect")
        return
    for problem in answer.get("problems") or [answer["error"]]:
        click.echo(problem, err=True)
    code = BAD_CONFIGURATION if answer.get("bad_configuration") else FAILED
    fail(f"{shown} was not applied; the previous configuration stays in effect", code)
