"""`lb env`: an app's own variables. Values of secret ones are never shown."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from lb.cli.engine_client import environment_of, file_option, finish, json_option, simple, staging_option
from lb.cli.exits import FAILED, USAGE, fail
from lb.cli.following import carry_out
from lb.cli.group import Group
from lb.config.problems import printable

_HIDDEN = "••••"


class _AppGroup(Group):
    """`lb env APP set …`: the app stands before the command, as in every other command."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        names = self.list_commands(click.Context(self))
        if len(args) >= 2 and args[0] not in names and not args[0].startswith("-") and args[1] in names:
            args = [args[1], args[0], *args[2:]]
        elif args and args[0] not in names and not args[0].startswith("-") and (len(args) == 1 or args[1][:1] == "-"):
            args = ["show", *args]
        return super().make_context(info_name, args, parent, **extra)


@click.group(cls=_AppGroup)
def env() -> None:
    """Show and change the variables of an app, as in lb env APP and lb env APP set NAME=VALUE.

    They take effect when instances start: with the next deploy, with lb restart, or at once with --restart.
    """


_app = click.argument("app")
_restart = click.option("--restart", is_flag=True, help="Start the instances anew, with the changed variables.")


@env.command()
@_app
@click.option("--reveal", is_flag=True, help="Show values, except those of secret variables.")
@staging_option
@file_option
@json_option
def show(app: str, file: Path | None, *, reveal: bool, staging: bool, as_json: bool) -> None:
    """Show the variables of APP; their values with --reveal."""
    request = {"command": "env", "app": app, "environment": environment_of(staging=staging), "reveal": reveal}
    result = simple(file, request)
    if as_json:
        click.echo(json.dumps(result["variables"], indent=2))
        return
    if not result["variables"]:
        click.echo(f"{environment_of(staging=staging)} of {app} has no variables of its own.")
    for name, one in result["variables"].items():
        shown = printable(one["value"]) if reveal and not one["secret"] else _HIDDEN
        click.echo(f"{name}={shown}{' (secret)' if one['secret'] else ''}")


@env.command(name="set")
@_app
@click.argument("assignments", nargs=-1, required=True, metavar="NAME=VALUE…")
@click.option("--secret", is_flag=True, help="Never show the value again.")
@_restart
@staging_option
@file_option
@json_option
def set_(  # noqa: PLR0913  what click hands over
    app: str,
    assignments: tuple[str, ...],
    file: Path | None,
    *,
    secret: bool,
    restart: bool,
    staging: bool,
    as_json: bool,
) -> None:
    """Set variables of APP. NAME=- reads the value from standard input, which keeps it out of the process list."""
    values: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            fail(f"{printable(assignment)}: write NAME=VALUE, or NAME=- for standard input", USAGE)
        values[name] = value
    from_input = [name for name, value in values.items() if value == "-"]
    if len(from_input) > 1:
        fail(f"standard input can hold one value: {' and '.join(from_input)} want it", USAGE)
    for name in from_input:
        values[name] = sys.stdin.read().removesuffix("\n")
    _change(app, {"command": "env.set", "values": values, "secret": secret}, file, restart, staging, as_json)


@env.command()
@_app
@click.argument("names", nargs=-1, required=True)
@_restart
@staging_option
@file_option
@json_option
def unset(app: str, names: tuple[str, ...], file: Path | None, *, restart: bool, staging: bool, as_json: bool) -> None:
    """Remove variables of APP."""
    _change(app, {"command": "env.unset", "names": list(names)}, file, restart, staging, as_json)


@env.command(name="import")
@_app
@click.argument("source", type=click.File("r", encoding="utf-8"))
@click.option("--secret", is_flag=True, help="Never show the values again.")
@_restart
@staging_option
@file_option
@json_option
def import_(  # noqa: PLR0913  what click hands over
    app: str, source: Any, file: Path | None, *, secret: bool, restart: bool, staging: bool, as_json: bool
) -> None:
    """Set variables of APP from a file with lines NAME=VALUE; - is standard input. Nothing in it is interpolated."""
    values = read_assignments(source.read())
    _change(app, {"command": "env.set", "values": values, "secret": secret}, file, restart, staging, as_json)


@env.command()
@_app
@_restart
@staging_option
@file_option
@json_option
def edit(app: str, file: Path | None, *, restart: bool, staging: bool, as_json: bool) -> None:
    """Edit the variables of APP in $EDITOR; secret ones are not among them, and stay."""
    environment = environment_of(staging=staging)
    result = simple(file, {"command": "env", "app": app, "environment": environment, "reveal": True})
    before = {name: one["value"] for name, one in result["variables"].items() if not one["secret"]}
    after = read_assignments(_edited("".join(f"{name}={shlex.quote(value)}\n" for name, value in before.items())))
    if changed := {name: value for name, value in after.items() if before.get(name) != value}:
        _change(app, {"command": "env.set", "values": changed}, file, restart, staging, as_json)
    if gone := [name for name in before if name not in after]:
        _change(app, {"command": "env.unset", "names": gone}, file, restart, staging, as_json)
    if not changed and not gone:
        click.echo("Nothing was changed.")


def _change(app: str, request: dict[str, Any], file: Path | None, restart: bool, staging: bool, as_json: bool) -> None:
    environment = environment_of(staging=staging)
    result = simple(file, {**request, "app": app, "environment": environment})
    if not restart:
        finish(result, as_json=as_json)
        return
    carry_out(file, {"command": "restart", "app": app, "environment": environment}, as_json=as_json)


def read_assignments(text: str) -> dict[str, str]:
    """NAME=VALUE lines; `export`, comments, blank lines and quotes (which may hold line ends) as a shell has them."""
    values: dict[str, str] = {}
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        fail(f"the file is not one of NAME=VALUE lines: {str(error).lower()}", USAGE)
    for word in words:
        if word == "export":
            continue
        name, equals, value = word.partition("=")
        if not equals or not name:
            fail(f"{printable(word)}: write NAME=VALUE, and a value with blanks in quotes", USAGE)
        values[name] = value
    return values


def _edited(text: str) -> str:
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "variables"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run([*editor, str(path)], check=False)  # noqa: S603  the user's own editor
        except OSError as error:
            fail(f"{editor[0]} cannot be started: {error.strerror}; set EDITOR", FAILED)
        if done.returncode:
            fail(f"{editor[0]} ended with status {done.returncode}; nothing was changed", FAILED)
        return path.read_text(encoding="utf-8")
