"""`lb reload FILE`: the running service takes up what the configuration file says by now."""

from __future__ import annotations

from pathlib import Path

import click

from lb.cli.asking import ask, file_argument, the_file
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail
from lb.config.problems import printable
from lb.control.api.command import Command

_PATIENCE = 150.0  # seconds: a reload may wait for the one before it


@click.command()
@file_argument
def reload(file: Path | None) -> None:
    """Apply a changed FILE to the service that serves it, without closing a connection.

    FILE may be left out where one service runs.

    Either all of it takes effect or nothing. Exit code 78: FILE is wrong, in the ways that are shown; 1: what it asks
    for is not to be had, or nothing serves FILE.
    """
    file = the_file(file, "reload")
    answer = ask(file, Command.RELOAD, _PATIENCE)
    shown = printable(str(file))
    if answer["ok"]:
        click.echo(f"nothing changed in {shown}" if answer.get("unchanged") else f"{shown} is in effect")
        return
    for problem in answer.get("problems") or [answer["error"]]:
        click.echo(problem, err=True)
    code = BAD_CONFIGURATION if answer.get("bad_configuration") else FAILED
    fail(f"{shown} was not applied; what was in effect stays", code)
