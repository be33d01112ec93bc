"""`lb engine`: the service that runs deployed apps, as a process and as something to start, stop and ask about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from lb.apps.service.engine_service import EngineStartError, engine_directory
from lb.apps.service.engine_socket import find_engine
from lb.apps.service.main import run_engine
from lb.cli.engine_client import (
    file_option,
    finish,
    json_option,
    simple,
)
from lb.cli.engine_plumbing import git_shell, pre_receive, stdio
from lb.cli.exits import FAILED, fail
from lb.cli.group import Group
from lb.cli.running import refuse, show_problems
from lb.cli.stderr_log import log_to_stderr
from lb.config.load import load_file
from lb.config.model import Config
from lb.config.problems import ConfigErrors, printable
from lb.control.api.systemd import Notifier
from lb.process.wording import duration

_PATIENCE = 60.0  # seconds for an engine to begin
_STEP = 0.05
_SHOWN = 20  # lines of its log

_file = click.argument("file", type=click.Path(path_type=Path))


@click.group(cls=Group)
def engine() -> None:
    """Start, stop and look at the engine, which builds and runs deployed apps.

    It is a service of its own: apps go on running when it, or the front door, ends or is upgraded.
    """


@engine.command()
@_file
def run(file: Path) -> None:
    """Run the engine of FILE in the foreground, for a service manager. SIGTERM ends it and leaves all apps running.

    SIGHUP applies a changed FILE.
    """
    log_to_stderr()
    config = _load(file)
    notifier = Notifier(os.environ)

    def ready(sentence: str) -> None:
        with suppress(OSError):
            click.echo(sentence, err=True)
        notifier.ready(sentence)

    try:
        run_engine(config, file.absolute(), partial(_read_again, file.absolute()), os.environ, ready)
    except EngineStartError as error:
        fail(str(error), FAILED)


@engine.command()
@_file
@json_option
def start(file: Path, *, as_json: bool) -> None:
    """Start the engine of FILE in the background, if none runs. Its log is engine.log in the engine's directory."""
    config = _load(file)
    if _is_running(file):
        finish({"ok": True, "started": False, "sentence": f"an engine runs for {file} already"}, as_json=as_json)
        return
    home = engine_directory(config, os.environ)
    try:
        home.prepare()
        log = os.open(home.root / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        fail(f"{error.filename or home.root}: {error.strerror}", FAILED)
    begin = os.fstat(log).st_size
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the front door, which may have called this, blocks some
    process = subprocess.Popen(  # noqa: S603  this same program
        [sys.executable, "-m", "lb", "engine", "run", str(file.absolute())],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    os.close(log)
    _wait(process, file, home.root / "engine.log", begin)
    sentence = f"the engine runs (process {process.pid}); its log is {home.root / 'engine.log'}"
    finish({"ok": True, "started": True, "pid": process.pid, "sentence": sentence}, as_json=as_json)


@engine.command()
@click.option("--apps", is_flag=True, help="End all apps, too; they start again with the engine.")
@file_option
@json_option
def stop(file: Path | None, *, apps: bool, as_json: bool) -> None:
    """End the engine. Apps go on running and serving; the next engine takes them over."""
    result = simple(file, {"command": "shutdown", "apps": apps})
    finish(result, as_json=as_json)


@engine.command()
@file_option
@json_option
def status(file: Path | None, *, as_json: bool) -> None:
    """Say which engine runs: its file, directory, version, apps, and whether a front door listens to it."""
    result = simple(file, {"command": "hello"})
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    door = "a front door is connected" if result["door"] else "no front door is connected"
    click.echo(f"process {result['pid']}, lb {result['version']}, up {duration(result['uptime'])}; {door}")
    click.echo(f"file       {printable(result['file'])}")
    click.echo(f"directory  {printable(result['directory'])}")
    click.echo(f"apps       {', '.join(result['apps']) or 'none'}")
    for what, reason in result["broken"].items():
        click.echo(f"{what} is left as it is: {reason}")


@engine.command()
@file_option
@json_option
def reload(file: Path | None, *, as_json: bool) -> None:
    """Have the engine read its configuration file again; `lb reload` of the front door does the same."""
    result = simple(file, {"command": "reload"})
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    for change in result["changes"] or ["Nothing changes for deployed apps."]:
        click.echo(f"{change[:1].upper()}{change[1:]}")


def _load(file: Path) -> Config:
    try:
        loaded = load_file(file, os.environ)
    except ConfigErrors as errors:
        refuse(errors)
    show_problems(loaded.warnings)
    return loaded.config


def _read_again(file: Path) -> Config:
    return load_file(file, os.environ).config


def _is_running(file: Path) -> bool:
    try:
        connection = find_engine(file, os.environ)
    except PermissionError:
        fail(f"the engine of {file} belongs to another user", FAILED)
    except TimeoutError:
        return True
    if connection is None:
        return False
    connection.close()
    return True


def _wait(process: subprocess.Popen[bytes], file: Path, log: Path, begin: int) -> None:
    """Until it can be asked; ends the command with what it said where it does not begin."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            _show_end(log, begin)
        if _is_running(file):
            return
        time.sleep(_STEP)  # it can be asked once its socket is there: until then nothing can tell
    fail(f"the engine has not begun within {_PATIENCE:.0f} s; its log is {log}", FAILED)


def _show_end(log: Path, begin: int) -> NoReturn:
    with log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").splitlines()
    for line in lines[-_SHOWN:]:
        click.echo(line, err=True)
    fail("the engine did not start", FAILED)


for _command in (stdio, pre_receive, git_shell):
    engine.add_command(_command)
