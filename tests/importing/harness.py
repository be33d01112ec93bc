"""Imports text, and looks at what came out as `lb check` would."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

from lb.config.load import load_bytes
from lb.config.problems import ConfigErrors
from lb.importing.import_file import Imported, import_files
from lb.importing.omissions import Omission, Weight

# Keys that other work brings: until they are there, a configuration that has them cannot be loaded.
PENDING = ("buffering", "retry_for")
PENDING_TEXTS = tuple(f'unknown key "{key}"' for key in PENDING)
# What depends on the machine.
OF_MACHINE = (
    *("there is no such directory", "there is no file", "there is no such file", "is not set", "has a private key"),
    *("there is no such password file", "this file cannot be read"),
)


@dataclass(frozen=True, slots=True)
class Import:
    """What an import made, and the file that it was made of."""

    source: str
    done: Imported

    @property
    def text(self) -> str:
        return self.done.text

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration as plain values."""
        found = yaml.safe_load(self.done.text)
        assert isinstance(found, dict)
        return found

    @property
    def apps(self) -> dict[str, Any]:
        apps = self.settings["apps"]
        assert isinstance(apps, dict)
        return apps

    @property
    def app(self) -> dict[str, Any]:
        """The first app."""
        first = next(iter(self.apps.values()))
        assert isinstance(first, dict)
        return first

    def routes(self, app: str = "") -> dict[str, dict[str, Any]]:
        """The routes of an app by path, in order."""
        settings = self.apps[app] if app else self.app
        return {route["path"]: route for route in settings.get("routes", ())}

    def omitted(self, weight: Weight | None = None) -> list[Omission]:
        return [one for one in self.done.omissions if weight is None or one.weight is weight]

    def omits(self, text: str, weight: Weight | None = None) -> bool:
        """Whether something with this text was left out."""
        return any(text in str(one) for one in self.omitted(weight))

    def comment(self, value: str) -> str:
        """The comment on the line that has a value."""
        line = next(line for line in self.text.splitlines() if value in line)
        return line.partition("  # ")[2]


def import_text(folder: Path, text: str, name: str, *more: Path) -> Import:
    """Imports a file of this name with this text."""
    file = folder / name
    file.write_text(dedent(text), encoding="utf-8")
    found = Import(dedent(text), import_files([file, *more]))
    assert_loads(found.text)
    return found


def assert_loads(text: str) -> None:
    """The text is a configuration of lb, but for what this machine lacks and for keys that are not there yet."""
    environ = {name: "8" if "LIMIT" in name else "example" for name in re.findall(r"\$\{(\w+)", text)}
    try:
        load_bytes("lb.yaml", text.encode(), environ)
    except ConfigErrors as failure:
        wrong = [str(problem) for problem in failure.problems if not _is_expected(str(problem))]
        assert not wrong, f"{wrong[0]}\n\n{text}"


def _is_expected(problem: str) -> bool:
    return any(text in problem for text in (*PENDING_TEXTS, *OF_MACHINE))
