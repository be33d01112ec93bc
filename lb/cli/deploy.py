"""`lb deploy`: hands a project over to the engine, which builds it, starts it and switches when it is healthy."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import click

from lb.apps.build.archive import pack
from lb.apps.project.errors import ProjectError
from lb.apps.project.ignore import read_ignore
from lb.apps.service.git_push import without_git
from lb.cli.engine_client import ask, connect, file_option, json_option, refuse
from lb.cli.exits import BAD_CONFIGURATION, FAILED, USAGE, fail
from lb.cli.following import carry_out
from lb.config.problems import printable

_IN_MEMORY = 16 << 20


@click.command()
@click.argument("app", required=False)
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--prod", is_flag=True, help="To production.")
@click.option("--staging", is_flag=True, help="To staging.")
@click.option("-m", "--message", help="What this version is; the last commit's message without it.")
@click.option("--rev", metavar="REV", help="Deploy this commit, not the files as they are.")
@click.option("--no-cache", is_flag=True, help="Install all dependencies anew.")
@click.option("--build-logs", is_flag=True, help="Show everything that the build writes.")
@click.option("--detach", is_flag=True, help="Return once the source is handed over.")
@click.option("--to", metavar="ssh://HOST", help="The engine of another machine, over SSH.")
@file_option
@json_option
def deploy(  # noqa: PLR0913  what click hands over
    app: str | None,
    directory: Path | None,
    message: str | None,
    rev: str | None,
    to: str | None,
    file: Path | None,
    *,
    prod: bool,
    staging: bool,
    no_cache: bool,
    build_logs: bool,
    detach: bool,
    as_json: bool,
) -> None:
    """Deploy the project in DIRECTORY (this one without it) as a new version of APP.

    APP may be left out where the engine has one app only. Without --prod or --staging it is asked; where nobody can
    answer, it is refused.

    Exit codes: 0 the new version serves, 1 it failed and the old version goes on serving, 2 wrong usage, 78 a file of
    the project is wrong.
    """
    if prod and staging:
        raise click.UsageError("--prod and --staging exclude each other.")
    directory = directory or Path()
    if app is not None and directory == Path() and _is_path(app):
        directory, app = Path(app), None
    if not directory.is_dir():
        fail(f"there is no directory {printable(str(directory))}", USAGE)
    environment = "staging" if staging else "production" if prod else _asked()
    app = app or _only_app(file, to)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as archive:
        source = cast("BinaryIO", archive)
        size = _pack(directory, rev, source)
        request = {
            "command": "deploy",
            "app": app,
            "environment": environment,
            "message": message or _commit_message(directory, rev),
            "no_cache": no_cache,
            "build_logs": build_logs,
            "size": size,
        }
        carry_out(file, request, as_json=as_json, to=to, source=source, detach=detach)


def _is_path(text: str) -> bool:
    return text in (".", "..") or "/" in text


def _asked() -> str:
    """Production or staging; people have deployed to the wrong one."""
    if not sys.stdin.isatty():
        fail("say where to: --prod or --staging", USAGE)
    choice = click.prompt("Deploy to", type=click.Choice(["staging", "production"]), err=True)
    return str(choice)


def _only_app(file: Path | None, to: str | None) -> str:
    line = connect(file, to)
    result = ask(line, {"command": "hello"})
    line.close()
    refuse(result)
    apps = [str(app) for app in result.get("apps", ())]
    if len(apps) == 1:
        return apps[0]
    known = f"; it has {', '.join(apps)}" if apps else "; it has none (add apps: {NAME: {production: {deploy: true}}})"
    return fail(f"name the app: lb deploy APP{known}", USAGE)


def _pack(directory: Path, rev: str | None, into: BinaryIO) -> int:
    """Writes the archive, and returns its size."""
    if rev is not None:
        _pack_commit(directory, rev, into)
    else:
        try:
            pack(directory, into, read_ignore(directory))
        except ProjectError as error:
            click.echo(f"lb: {error}", err=True)
            raise click.exceptions.Exit(BAD_CONFIGURATION) from None
        except OSError as error:
            fail(f"{printable(str(error.filename or directory))} cannot be read: {error.strerror}", FAILED)
    size = into.tell()
    into.seek(0)
    return size


def _pack_commit(directory: Path, rev: str, into: BinaryIO) -> None:
    command = ["git", "-C", str(directory), "archive", "--format=tar", f"{rev}^{{commit}}:./"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=without_git())  # noqa: S603
    except FileNotFoundError:
        fail("--rev needs git, which is not installed", FAILED)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        fail(f"git has no commit {printable(rev)} here: {printable(reason[-1]) if reason else ''}", USAGE)
    into.write(done.stdout)


def _commit_message(directory: Path, rev: str | None) -> str:
    command = ["git", "-C", str(directory), "log", "-1", "--format=%s", *([rev] if rev else []), "--"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=without_git())  # noqa: S603
    except (OSError, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
