"""`lb up`: the project of this directory in the foreground, started as the engine would start it."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import click

from lb.apps.project.detect import ProjectDefaults, read_project
from lb.apps.project.errors import ProjectError
from lb.apps.project.start import Serving, StartPlan
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail

_PORT = 3000
_VENVS = (".venv", "venv")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="Where it listens.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def up(port: int, arguments: tuple[str, ...]) -> None:
    """Run the project here, on 127.0.0.1: LEANCLOUD_APP_ENV is development, and the project's own venv is used.

    ARGUMENTS go to the server (gunicorn, uvicorn), or to the command of run. Ctrl-C ends it.
    """
    try:
        project = read_project(Path.cwd(), ProjectDefaults())
    except ProjectError as error:
        click.echo(f"lb: {error}", err=True)
        raise click.exceptions.Exit(BAD_CONFIGURATION) from None
    python = _python(project.root)
    command = command_line(project.start, python, port, arguments)
    environ = {
        **os.environ,
        "LEANCLOUD_APP_ENV": "development",
        "LEANCLOUD_APP_PORT": str(port),
        "PORT": str(port),
        "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    _check_server(project.start, python)
    click.echo(f"http://127.0.0.1:{port}: {shlex.join(command)}", err=True)
    os.chdir(project.root)
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606  the terminal is the app's from now on
    except OSError as error:
        fail(f"{command[0]} cannot be started: {error.strerror}", FAILED)


def command_line(start: StartPlan, python: str, port: int, arguments: tuple[str, ...]) -> list[str]:
    """What is run."""
    target = f"{start.module}:application"
    if start.serving == Serving.COMMAND:
        return ["/bin/sh", "-c", " ".join([start.command or "", *map(shlex.quote, arguments)])]
    if start.serving == Serving.WSGI:
        return [python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--reload", *arguments, target]
    return [python, "-m", "uvicorn", "--port", str(port), "--reload", *arguments, target]


def _python(root: Path) -> str:
    for name in _VENVS:
        if (root / name / "bin" / "python").exists():
            return str(root / name / "bin" / "python")
    return "python3"


def _check_server(start: StartPlan, python: str) -> None:
    if start.serving == Serving.COMMAND:
        return
    server = "gunicorn" if start.serving == Serving.WSGI else "uvicorn"
    try:
        done = subprocess.run([python, "-c", f"import {server}"], capture_output=True, check=False)  # noqa: S603
    except OSError as error:
        fail(f"{python} cannot be started: {error.strerror}", FAILED)
    if done.returncode:
        fail(f"{server} is not installed for {python}: {python} -m pip install {server} -r requirements.txt", FAILED)
