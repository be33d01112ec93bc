"""Which of its two engines `lb` runs: the compiled one where all of it was built, else the same code uncompiled.

Their classes are laid out differently and must not meet, so it is all or nothing. `LB_ENGINE=python` takes the sources
in spite of compiled modules beside them; `LB_ENGINE=compiled` or `LB_REQUIRE_COMPILED=1` makes a fallback an error.
This file knows names of files and nothing of what is in them; it runs before any other module of the package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

_MOST_SHOWN = 3  # modules that were not built


class SourcesOnly:
    """Finds the modules of one package as `.py` files, whatever else is beside them."""

    def __init__(self, package: str) -> None:
        self._prefix = package + "."
        self._finders: dict[str, FileFinder] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(self._prefix):
            return None
        for directory in path or ():
            finder = self._finders.get(directory)
            if finder is None:
                finder = self._finders[directory] = FileFinder(directory, (SourceFileLoader, SOURCE_SUFFIXES))
            spec = finder.find_spec(fullname)
            if spec is not None:
                return spec
        return None


class EngineError(ImportError):
    """The engine that is wanted cannot be used; `wrong_usage`: there is no engine of that name."""

    def __init__(self, reason: str, *, wrong_usage: bool = False) -> None:
        super().__init__(reason)
        self.wrong_usage = wrong_usage


class RefuseAll:
    """Lets no module of a package be imported, but for those that can say why."""

    def __init__(self, package: str, error: EngineError) -> None:
        self._prefix = package + "."
        self._exempt = (f"{package}.__main__.", f"{package}.cli.")
        self._error = error

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        if fullname.startswith(self._prefix) and not f"{fullname}.".startswith(self._exempt):
            raise self._error


def refuse_modules(package: str, error: EngineError) -> None:
    """Raise this error wherever a module of `package` is imported, save those of its command line."""
    sys.meta_path.insert(0, RefuseAll(package, error))


def choose_engine(package: str, directory: Path) -> None:
    """Let the modules of `package` in `directory` be those of one engine. Raises EngineError, as told above."""
    wanted = os.environ.get("LB_ENGINE", "")
    if wanted not in ("", "compiled", "python"):
        raise EngineError(f'LB_ENGINE is "{wanted}"; it can be "compiled" or "python"', wrong_usage=True)
    if wanted != "python":
        missing = not_compiled(directory)
        if not missing:
            return
        if wanted == "compiled" or os.environ.get("LB_REQUIRE_COMPILED") == "1":
            variable = "LB_ENGINE=compiled" if wanted == "compiled" else "LB_REQUIRE_COMPILED=1"
            shown = ", ".join(missing[:_MOST_SHOWN]) + (", …" if len(missing) > _MOST_SHOWN else "")
            raise EngineError(
                f"{variable} is set, but this installation has no compiled engine ({len(missing)} modules were not "
                f"built: {shown}). Install {package} again with a C compiler and Python's headers, or unset {variable}"
            )
    sys.meta_path.insert(0, SourcesOnly(package))


def not_compiled(directory: Path) -> list[str]:
    """The modules that have types for being compiled (a `.pxd`) and were not, by their paths without suffix."""
    return sorted(
        str(typed.relative_to(directory).with_suffix(""))
        for typed in directory.rglob("*.pxd")
        if not any(typed.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES)
    )
