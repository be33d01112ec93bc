"""A bare repository an app, whose pre-receive hook deploys what is pushed: a deploy that fails rejects the push.

main and master deploy to production, staging to staging; other branches are stored, and deploy nothing. This file
knows git's side: the repository, its hook, and what the lines of a push mean.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_BRANCHES = {"refs/heads/main": "production", "refs/heads/master": "production", "refs/heads/staging": "staging"}
_GIT_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_QUARANTINE_PATH",
)


@dataclass(frozen=True, slots=True)
class PushedBranch:
    """One line of a push: `environment` is "" for a branch that deploys nothing, `commit` "" for one that goes."""

    branch: str
    commit: str
    environment: str


def read_push(lines: Iterable[str]) -> list[PushedBranch]:
    """What stands on a pre-receive hook's standard input. Raises ValueError."""
    pushed = []
    for line in lines:
        _, new, ref = line.split()
        commit = "" if set(new) == {"0"} else new
        pushed.append(PushedBranch(ref.removeprefix("refs/heads/"), commit, _BRANCHES.get(ref, "")))
    return pushed


def prepare_repository(path: Path, app: str, file: Path) -> None:
    """Makes the repository if it is not there, and writes its hook anew: lb may have moved. Raises OSError."""
    if not (path / "HEAD").exists():
        command = ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, env=without_git(), check=False)  # noqa: S603
        if done.returncode:
            raise OSError(0, done.stderr.strip() or "git init failed", str(path))
    hook = path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(hook_text(app, file), encoding="utf-8")
    hook.chmod(0o700)


def hook_text(app: str, file: Path) -> str:
    """The hook runs this same lb."""
    words = [sys.executable, "-P", "-m", "lb", "engine", "pre-receive", app, "--file", os.path.realpath(file)]
    place = shlex.quote(str(Path(__file__).parents[3]))
    comment = "# Written by lb: a deploy that fails rejects the push."
    return f"#!/bin/sh\n{comment}\nPYTHONPATH={place} exec {shlex.join(words)}\n"


def without_git() -> dict[str, str]:
    """An environment in which git sees no repository but the one that it is told of."""
    return {name: value for name, value in os.environ.items() if name not in _GIT_VARIABLES}


def repository_of(command: str) -> tuple[str, str] | None:
    """The git program and the app that an SSH client asks for: `git-receive-pack '/shop'`; None for anything else."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words[:1] == ["git"]:
        words = [f"git-{words[1]}", *words[2:]] if len(words) > 1 else words
    if len(words) != 2 or words[0] not in ("git-receive-pack", "git-upload-pack", "git-upload-archive"):
        return None
    app = words[1].strip("/").removesuffix(".git")
    return (words[0], app) if app and "/" not in app and not app.startswith((".", "-")) else None
