"""Commands of `lb engine` that other programs call: ssh's other end, git's hook, and the shell of a git user's key."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click

from lb.apps.service.git_push import read_push, repository_of
from lb.cli.engine_client import connect, file_option, simple
from lb.cli.exits import USAGE, fail
from lb.cli.following import carry_out

_CHUNK = 65536


@click.command()
@file_option
def stdio(file: Path | None) -> None:
    """Join standard input and output to the engine's socket, as `lb deploy --to ssh://…` has the other machine do."""
    line = connect(file)
    with suppress(OSError):
        _join(line.descriptor)


@click.command(name="pre-receive")
@click.argument("app")
@file_option
def pre_receive(app: str, file: Path | None) -> None:
    """Deploy what a git push brings, as the hook of an app's repository. A deploy that fails rejects the push."""
    try:
        pushed = read_push(sys.stdin)
    except ValueError:
        fail("standard input is not that of a pre-receive hook", USAGE)
    wanted = [one for one in pushed if one.environment and one.commit]
    if len(wanted) > 1:
        fail("push main and staging one after the other: a push deploys one environment", USAGE)
    if not wanted:
        click.echo("Stored; main deploys to production, staging to staging, and other branches are not deployed.")
        return
    branch = wanted[0]
    archive = subprocess.Popen(["git", "archive", "--format=tar", branch.commit], stdout=subprocess.PIPE)  # noqa: S603, S607
    assert archive.stdout is not None  # noqa: S101  a pipe was asked for
    for note in _git_notes(branch.commit):
        click.echo(note)
    request = {
        "command": "deploy",
        "app": app,
        "environment": branch.environment,
        "message": _git("log", "-1", "--format=%s", branch.commit),
        "attached": True,
    }
    carry_out(file, request, as_json=False, source=archive.stdout)


@click.command(name="git-shell")
@file_option
def git_shell(file: Path | None) -> None:
    """Give an SSH key access to the apps' repositories alone: command="lb engine git-shell" in authorized_keys."""
    asked = repository_of(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    if asked is None:
        fail("this key is for git alone: git push ssh://lb@host/APP main", USAGE)
    program, app = asked
    result = simple(file, {"command": "repository", "app": app})
    os.execvp("git", ["git", program.removeprefix("git-"), result["repository"]])  # noqa: S606, S607


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, errors="replace")  # noqa: S603, S607
    return done.stdout.strip() if done.returncode == 0 else ""


def _git_notes(commit: str) -> list[str]:
    """What git archive leaves out."""
    notes = []
    if _git("ls-tree", "--name-only", commit, ".gitmodules"):
        notes.append("The project has submodules, which a push does not bring: lb deploy does.")
    if "filter=lfs" in _git("show", f"{commit}:.gitattributes"):
        notes.append("The project uses Git LFS: a push brings pointers, not the files; lb deploy brings them.")
    return notes


def _join(engine: int) -> None:
    """Copies both ways until the engine closes; the end of standard input is passed on."""
    sources = {0: engine, engine: 1}
    while engine in sources:
        ready, _, _ = select.select(list(sources), [], [])
        for source in ready:
            data = os.read(source, _CHUNK)
            if data:
                _write(sources[source], data)
            else:
                del sources[source]
                if source == 0:
                    with suppress(OSError):
                        socket.socket(fileno=os.dup(engine)).shutdown(socket.SHUT_WR)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
