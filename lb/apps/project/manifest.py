"""leanengine.yaml → a Manifest, or one ProjectError with everything that is wrong in it, each with line and column.

This file knows the keys and how they are read; manifest_values.py knows single values. It must not look at any other
file of the project: what the keys mean for one is decided by detect.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lb.apps.project import manifest_values as values
from lb.apps.project.errors import ProjectError
from lb.apps.project.manifest_values import BuildCommand
from lb.apps.project.text import read_bytes
from lb.config.compose import compose, decode
from lb.config.problems import ConfigErrors, Origin, Problem, Source, Span, quoted
from lb.config.suggest import all_of, nearest, snake_case
from lb.config.tree import AliasBombError, Blank, Reader
from lb.config.units import BadValueError, describe

NAME = "leanengine.yaml"
SERVERS = ("auto", "gunicorn", "uvicorn", "granian", "waitress")
_OTHER_RUNTIMES = ("cpp", "dotnet", "go", "java", "nodejs", "php", "static")
_LARGEST = 1 << 20
_LIKE_ENOUGH = 0.7


@dataclass(frozen=True, slots=True)
class Manifest:
    """What leanengine.yaml says; the defaults are what holds without one.

    `install` and `build` are None where the default is meant. `python` tells whether `runtime: python` is written,
    which needs no other file to know the project by.
    """

    run: str | None = None
    install: tuple[BuildCommand, ...] | None = None
    build: tuple[BuildCommand, ...] | None = None
    python: bool = False
    build_root: str = ""
    expose_environments: bool = False
    system_dependencies: tuple[str, ...] = ()
    startup_timeout: float | None = None
    functions_mode: str = ""
    release: str | None = None
    workers: Mapping[str, str] = field(default_factory=dict)
    server: str = "auto"
    notes: tuple[str, ...] = ()


def _runtime(value: object) -> bool:
    if isinstance(value, str) and value in _OTHER_RUNTIMES:
        raise BadValueError(f"the runtime {quoted(value)} is not supported", "lb runs Python projects: write python")
    return values.choice(value, ("python",)) == "python"


def _run(value: object) -> str:
    if isinstance(value, list):
        raise BadValueError("run is one command, not a list", "join several with &&, or put the first ones into build")
    return values.command(value)


# Key → the manifest's field, and what reads the value.
_KEYS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "run": ("run", _run),
    "install": ("install", partial(values.commands, require=True)),
    "build": ("build", partial(values.commands, require=False)),
    "runtime": ("python", _runtime),
    "buildRoot": ("build_root", values.folder),
    "exposeEnvironmentsOnBuild": ("expose_environments", values.switch),
    "systemDependencies": ("system_dependencies", values.system_dependencies),
    "startupTimeout": ("startup_timeout", values.startup_timeout),
    "functionsMode": ("functions_mode", partial(values.choice, options=("strict", "disabled"))),
    "release": ("release", values.command),
    "workers": ("workers", values.workers),
    "server": ("server", partial(values.choice, options=SERVERS)),
}
_OBSOLETE = {"installDevDependencies": "installDevDependencies is obsolete and has no effect; the key can be removed"}
_SPELLED = {snake_case(key): key for key in (*_KEYS, *_OBSOLETE)}
# Words of other platforms, and of lb's own configuration.
_ELSEWHERE = {
    **dict.fromkeys(
        ("start", "command", "cmd", "web", "entrypoint", "start_command"), "here this is run: a command in shell syntax"
    ),
    **dict.fromkeys(
        ("env", "environment", "variables", "env_variables"), "variables are set by `lb env APP set NAME=…`"
    ),
    **dict.fromkeys(
        ("python", "python_version", "pythonversion", "version"), "the version is written in the file .python-version"
    ),
    **dict.fromkeys(
        ("domains", "instances", "count", "memory", "cpus", "quota", "drain", "sleep", "deploy", "logs", "network"),
        "this belongs to the app in lb's own configuration file",
    ),
    **dict.fromkeys(
        ("static", "staticfiles", "static_files"),
        "a route of the app in lb's own configuration file serves them: routes: [{path: /static/, files: …}]",
    ),
    "port": "there is no key for it: listen on the port in the variable LEANCLOUD_APP_PORT",
    "cron": "lb runs no scheduled commands: let the machine's cron run `lb run APP -- COMMAND`",
    "healthcheck": "the check's path is health_uri in lb's own configuration file",
    "dependencies": "Python packages belong into requirements.txt, those of the system are systemDependencies",
    "apt": "here this is systemDependencies",
    "packages": "here this is systemDependencies, or requirements.txt for Python packages",
    "root": "here this is buildRoot",
    "predeploy": "here this is release",
    "postdeploy": "here this is release",
}


def read_manifest(root: Path) -> Manifest | None:
    """The manifest of the project at `root`; None where there is none. Raises ProjectError."""
    data = read_bytes(root, NAME, _LARGEST)
    return None if data is None else parse_manifest(data)


def parse_manifest(data: bytes) -> Manifest:
    """What the content of a leanengine.yaml says. Raises ProjectError with all that is wrong."""
    try:
        reader, value = _read(data)
    except ConfigErrors as errors:
        raise ProjectError.of(map(_of_this_file, errors.problems)) from None
    if reader.problems:
        raise ProjectError.of(reader.problems)
    if value is Blank.EMPTY:
        return Manifest()
    if not isinstance(value, dict):
        message = f"keys and values are expected here, not {describe(value)}"
        raise ProjectError.of([reader.origin.problem((), message, f"the keys are {all_of(_KEYS)}")])
    return _manifest(value, reader.origin)


def _read(data: bytes) -> tuple[Reader, object]:
    source = Source.of(NAME, decode(NAME, data))
    reader = Reader(source, None)
    node = compose(source, reader.problems)
    try:
        return reader, reader.read(node)
    except AliasBombError:
        message = "the aliases (*name) of this file grow beyond all bounds"
        raise ConfigErrors([source.problem(Span(0, 0, 1), message, "write the values out")]) from None


def _manifest(value: Mapping[str, object], origin: Origin) -> Manifest:
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    notes: list[str] = []
    for key, item in value.items():
        if key in _OBSOLETE:
            notes.append(_OBSOLETE[key])
        elif key not in _KEYS:
            problems.append(origin.key_problem((key,), *_unknown(key)))
        elif item is Blank.EMPTY:
            problems.append(origin.key_problem((key,), f"{key} has no value", "give it one, or remove the line"))
        else:
            name, read = _KEYS[key]
            try:
                found[name] = read(item)
            except BadValueError as error:
                problems.append(_problem(key, error, origin))
    if problems:
        raise ProjectError.of(problems)
    return Manifest(**found, notes=tuple(notes))


def _problem(key: str, error: BadValueError, origin: Origin) -> Problem:
    message = f"{key}: {error.message}"
    if not isinstance(error, values.BadPartError):
        return origin.problem((key,), message, error.hint)
    point = origin.key_problem if error.of_key else origin.problem
    return point((key, *error.path), message, error.hint)


def _unknown(key: str) -> tuple[str, str]:
    word = snake_case(key)
    near = _SPELLED.get(word) or _SPELLED.get(nearest(word, _SPELLED, _LIKE_ENOUGH) or "")
    if word in _ELSEWHERE and word not in _SPELLED:
        return f"unknown key {quoted(key)}", _ELSEWHERE[word]
    if near:
        return f"unknown key {quoted(key)}: did you mean {quoted(near)}?", ""
    return f"unknown key {quoted(key)}", f"the keys are {all_of(_KEYS)}"


def _of_this_file(problem: Problem) -> Problem:
    """Without hints that are about lb's own configuration file."""
    hint = "" if "lb config example" in problem.hint or "no key of lb" in problem.hint else problem.hint
    return Problem(problem.file, problem.line, problem.column, problem.message, problem.snippet, hint, problem.level)
