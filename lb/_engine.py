"""Chooses one of the two engines: the compiled one if all of it was built, else the same code uncompiled.

Their classes have different layouts and must not be mixed, so it is all or nothing. `LB_ENGINE=python` uses the sources
even if compiled modules are beside them; `LB_ENGINE=compiled` or `LB_REQUIRE_COMPILED=1` makes a fallback an error. In
a source tree a compiled module that is older than its source is an error, too: edited code would only seem to run. This
file knows the names of files, not their content; it runs before any other module of the package.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from hashlib import blake2b
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

_MOST_SHOWN = 3  # modules that were not built

BUILT = "_built.json"
"""Beside this file in a source tree: what the compiled modules were made of. The build writes it (`setup.py`)."""

_SHARED = ("*.pxi", "*.h")  # parts of several modules


class SourcesOnly:
    """Finds the modules of one package only as `.py` files."""

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
    """The requested engine is not available; `wrong_usage`: there is no engine of that name."""

    def __init__(self, reason: str, *, wrong_usage: bool = False) -> None:
        super().__init__(reason)
        self.wrong_usage = wrong_usage


class RefuseAll:
    """Blocks the import of all modules of a package, except those that report the reason."""

    def __init__(self, package: str, error: EngineError) -> None:
        self._prefix = package + "."
        self._exempt = (f"{package}.__main__.", f"{package}.cli.")
        self._error = error

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        if fullname.startswith(self._prefix) and not f"{fullname}.".startswith(self._exempt):
            raise self._error


def refuse_modules(package: str, error: EngineError) -> None:
    """Raise this error at any import of a module of `package`, except those of its command line."""
    sys.meta_path.insert(0, RefuseAll(package, error))


def choose_engine(package: str, directory: Path) -> None:
    """Make the modules of `package` in `directory` come from one engine. Raises EngineError, as above."""
    wanted = os.environ.get("LB_ENGINE", "")
    if wanted not in ("", "compiled", "python"):
        raise EngineError(f'LB_ENGINE is "{wanted}"; it can be "compiled" or "python"', wrong_usage=True)
    if wanted != "python":
        missing = not_compiled(directory)
        if not missing:
            _refuse_stale(package, directory)
            return
        if wanted == "compiled" or os.environ.get("LB_REQUIRE_COMPILED") == "1":
            variable = "LB_ENGINE=compiled" if wanted == "compiled" else "LB_REQUIRE_COMPILED=1"
            shown = ", ".join(missing[:_MOST_SHOWN]) + (", …" if len(missing) > _MOST_SHOWN else "")
            raise EngineError(
                f"{variable} is set, but this installation has no compiled engine ({len(missing)} modules were not "
                f"built: {shown}). Reinstall {package} with a C compiler and Python's headers, or unset {variable}"
            )
    sys.meta_path.insert(0, SourcesOnly(package))


def not_compiled(directory: Path) -> list[str]:
    """The modules with a `.pxd` that were not compiled, by their paths without suffix."""
    return sorted(
        str(typed.relative_to(directory).with_suffix(""))
        for typed in directory.rglob("*.pxd")
        if not any(typed.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES)
    )


def compiled_sources(directory: Path) -> list[Path]:
    """The source files of the compiled modules of the package in `directory`."""
    found = [path for pattern in _SHARED for path in directory.rglob(pattern)]
    for typed in directory.rglob("*.pxd"):
        twin = typed.with_suffix(".pyx")
        found += [typed, twin if twin.exists() else typed.with_suffix(".py")]
    return sorted(found)


def fingerprint(path: Path) -> str:
    """A hash of the file's content."""
    return blake2b(path.read_bytes(), digest_size=16).hexdigest()


def changed_sources(directory: Path) -> list[str]:
    """The sources that have changed since the modules were compiled, by their paths in `directory`.

    Content decides, not time: a checkout of the same revision is not a change.
    """
    try:
        built = json.loads((directory / BUILT).read_bytes())
    except (OSError, ValueError):
        built = {}
    return [
        name
        for path in compiled_sources(directory)
        if built.get(name := path.relative_to(directory).as_posix()) != fingerprint(path)
    ]


def _refuse_stale(package: str, directory: Path) -> None:
    if not (directory.parent / "setup.py").exists():
        return  # installed, not edited
    changed = changed_sources(directory)
    if changed:
        more = len(changed) - _MOST_SHOWN
        names = ", ".join(changed[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
        raise EngineError(
            f"the compiled modules of {package} are older than their sources ({names}). "
            f"Run `make build`, or set LB_ENGINE=python to run the sources"
        )
