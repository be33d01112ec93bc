"""`lb up`: the project of this directory in the foreground, started as the engine would start it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click

from lb.apps.project.detect import ProjectDefaults, read_project
from lb.apps.project.errors import ProjectError
from lb.apps.project.start import Serving, StartPlan
from lb.apps.run.variables import available_cpus, under_both_prefixes
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail
from lb.config.engine import EngineSettings

_PORT = 3000
_VENVS = (".venv", "venv")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="Where it listens.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def up(port: int, arguments: tuple[str, ...]) -> None:
    """Run the project here, on 127.0.0.1: LEANCLOUD_APP_ENV is development, and the project's own venv is used.

    ARGUMENTS go to the server (gunicorn, uvicorn, granian, waitress), or to the command of run. Ctrl-C ends it.
    """
    try:
        project = read_project(Path.cwd(), ProjectDefaults())
    except ProjectError as error:
        click.echo(f"lb: {error}", err=True)
        raise click.exceptions.Exit(BAD_CONFIGURATION) from None
    python = _python(project.root)
    command = command_line(project.start, python, port, arguments)
    environ = environment(os.environ, python, port)
    _check_server(project.start, python)
    click.echo(f"http://127.0.0.1:{port}: {shlex.join(command)}", err=True)
    os.chdir(project.root)
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606  the terminal is the app's from now on
    except OSError as error:
        fail(f"{command[0]} cannot be started: {error.strerror}", FAILED)


def environment(given: Mapping[str, str], python: str, port: int) -> dict[str, str]:
    """The variables of the terminal, and those of the platform: what it would set, unless the terminal has it."""
    engine = EngineSettings()
    usual = {"APP_GROUP": "web", "REGION": engine.region, "AVAILABLE_CPUS": str(available_cpus(None))}
    of_the_terminal = {name[10:]: value for name, value in given.items() if name.startswith("LEANCLOUD_")}
    here = {"APP_ENV": "development", "APP_PORT": str(port)}
    return {
        "TZ": engine.zone,
        **given,
        **under_both_prefixes({**usual, **of_the_terminal, **here}),
        "PORT": str(port),
        "PATH": f"{Path(python).parent}{os.pathsep}{given.get('PATH', '')}",
    }


def command_line(start: StartPlan, python: str, port: int, arguments: tuple[str, ...]) -> list[str]:
    """What is run."""
    target = f"{start.module}:application"
    if start.serving == Serving.COMMAND:
        return ["/bin/sh", "-c", " ".join([start.command or "", *map(shlex.quote, arguments)])]
    serve = {
        "gunicorn": ["--bind", f"127.0.0.1:{port}", "--reload"],
        "uvicorn": ["--port", str(port), "--reload"],
        "granian": ["--interface", start.serving.value, "--host", "127.0.0.1", "--port", str(port)],
        "waitress": [f"--listen=127.0.0.1:{port}"],
    }
    server = _server(start)
    return [python, "-m", server, *serve[server], *arguments, target]


def _server(start: StartPlan) -> str:
    return start.server or ("gunicorn" if start.serving == Serving.WSGI else "uvicorn")


def _python(root: Path) -> str:
    for name in _VENVS:
        if (root / name / "bin" / "python").exists():
            return str(root / name / "bin" / "python")
    return "python3"


def _check_server(start: StartPlan, python: str) -> None:
    if start.serving == Serving.COMMAND:
        return
    server = _server(start)
    try:
        done = subprocess.run([python, "-c", f"import {server}"], capture_output=True, check=False)  # noqa: S603
    except OSError as error:
        fail(f"{python} cannot be started: {error.strerror}", FAILED)
    if done.returncode:
        fail(f"{server} is not installed for {python}: {python} -m pip install {server} -r requirements.txt", FAILED)
