"""The values of leanengine.yaml as people write them → what the engine uses. Each function knows one kind of value.

They raise BadValueError, or BadPartError where a part of the value is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

from lb.apps.project.system_dependencies import SYSTEM_DEPENDENCIES, WITHDRAWN
from lb.config.problems import KeyPath, quoted
from lb.config.suggest import all_of, any_of, nearest
from lb.config.tree import Blank
from lb.config.units import BadValueError, Plain, describe, parse_duration, parse_switch

_SHORTEST_START, _LONGEST_START = 15.0, 120.0
T = TypeVar("T")
_WORKER = re.compile(r"[a-z][a-z0-9-]{0,30}")


class BadPartError(BadValueError):
    """As BadValueError; `path` leads to the part inside the value, whose key is wrong if `of_key` is set."""

    def __init__(self, path: KeyPath, message: str, hint: str = "", *, of_key: bool = False) -> None:
        super().__init__(message, hint)
        self.path = path
        self.of_key = of_key


@dataclass(frozen=True, slots=True)
class BuildCommand:
    """One item of `install` or `build`: a command in shell syntax, the default (`use`), or files to be there."""

    text: str = ""
    is_default: bool = False
    require: tuple[str, ...] = ()


def command(value: object) -> str:
    """A command in shell syntax."""
    if isinstance(value, (dict, list)):
        raise BadValueError(f"a command is expected here, not {describe(value)}", "write it in quotes")
    text = "" if isinstance(value, Blank) else str(value).strip()
    if not text:
        raise BadValueError("the command is empty", "write a command, or remove the key")
    return text


def commands(value: object, *, require: bool) -> tuple[BuildCommand, ...]:
    """One command, or a list of them in which `{use: default}` stands for the default; `require` only for install."""
    if not isinstance(value, list):
        return (_item(value, require=require),)
    return tuple(_at((index,), lambda item: _item(item, require=require), item) for index, item in enumerate(value))


def _item(value: object, *, require: bool) -> BuildCommand:
    if not isinstance(value, dict):
        return BuildCommand(command(value))
    known = ("use", "require") if require else ("use",)
    for key in value:
        if key not in known:
            near = nearest(key, known)
            mend = f": did you mean {quoted(near)}?" if near else ""
            if key == "require":
                raise BadPartError((key,), "build sees every file of the project anyway", "remove require", of_key=True)
            hint = "" if near else 'a command with ": " in it needs quotes around the whole of it'
            raise BadPartError((key,), f"unknown key {quoted(key)}{mend}", hint, of_key=True)
    if len(value) != 1:
        raise BadValueError(f"one of {any_of(known)} is expected here", "give each an item of its own")
    if "use" in value:
        if value["use"] != "default":
            raise BadPartError(("use",), "use knows one word, default", "write {use: default}")
        return BuildCommand(is_default=True)
    return BuildCommand(require=_at(("require",), _paths, value["require"]))


def _paths(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items:
        raise BadValueError("the list is empty", "name the files and folders that install needs")
    return tuple(_at((index,) if isinstance(value, list) else (), path, item) for index, item in enumerate(items))


def path(value: object) -> str:
    """A file or folder of the project, by its path from the project's top."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise BadValueError(f"a path is expected here, not {describe(value)}")
    parts = PurePosixPath(value.strip())
    if parts.is_absolute():
        raise BadValueError(
            f"{quoted(value)} begins with /", "write the path from the project's top, such as app/static"
        )
    if ".." in parts.parts:
        raise BadValueError(f"{quoted(value)} leads out of the project", "name something inside of it")
    return str(parts)


def folder(value: object) -> str:
    """The same; "" for the project's top itself."""
    found = path(value)
    return "" if found == "." else found


def switch(value: object) -> bool:
    return parse_switch(value)


def choice(value: object, options: tuple[str, ...]) -> str:
    """One of a few words."""
    if isinstance(value, str) and value in options:
        return str(value)
    near = nearest(value, options) if isinstance(value, str) else None
    mend = f": did you mean {quoted(near)}?" if near else ""
    raise BadValueError(f"{describe(value)} is not known here{mend}", f"use {any_of(options)}")


def startup_timeout(value: object) -> float:
    """Seconds (H1)."""
    return parse_duration(value, _SHORTEST_START, _LONGEST_START, "it must be from 15 to 120 seconds")


def system_dependencies(value: object) -> tuple[str, ...]:
    """Names of the table, each once (B9)."""
    items = value if isinstance(value, list) else [value]
    is_list = isinstance(value, list)
    return tuple(
        dict.fromkeys(_at((index,) if is_list else (), _system_dependency, item) for index, item in enumerate(items))
    )


def _system_dependency(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(f"a name is expected here, not {describe(value)}")
    if value in SYSTEM_DEPENDENCIES:
        return str(value)
    if value in WITHDRAWN:
        raise BadValueError(f"{value} is discontinued", WITHDRAWN[value])
    names = {name.replace("-", "_"): name for name in SYSTEM_DEPENDENCIES}
    near = names.get(nearest(value, names) or "")
    mend = f": did you mean {quoted(near)}?" if near else ""
    raise BadValueError(f"{quoted(value)} is not known here{mend}", f"there are {all_of(SYSTEM_DEPENDENCIES)}")


def workers(value: object) -> Mapping[str, str]:
    """Name → command of a process without a port."""
    found = {}
    for name, item in _mapping(value, "a name and a command for each worker: {queue: python worker.py}").items():
        if _WORKER.fullmatch(name) is None or name == "web":
            hint = "`web` is what run starts" if name == "web" else "use small letters, digits and hyphens"
            raise BadPartError((name,), f"{quoted(name)} cannot be a worker's name", hint, of_key=True)
        found[name] = _at((name,), command, item)
    return found


def _mapping(value: object, shape: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        near = ""
        if isinstance(value, Plain) and ":" in value:
            near = "a space is missing behind the colon; "
        raise BadValueError(f"keys and values are expected here, not {describe(value)}", f"{near}write {shape}")
    return value


def _at(inner: KeyPath, read: Callable[[object], T], value: object) -> T:
    """What `read` makes of the part of a value at `inner`; what it raises points there."""
    try:
        return read(value)
    except BadPartError as error:
        raise BadPartError((*inner, *error.path), error.message, error.hint, of_key=error.of_key) from None
    except BadValueError as error:
        raise BadPartError(inner, error.message, error.hint) from None
