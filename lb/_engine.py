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


def choose_engine(package: str, directory: Path) -> None:
    """Let the modules of `package` in `directory` be those of one engine. Raises ImportError, as told above."""
    wanted = os.environ.get("LB_ENGINE", "")
    if wanted not in ("", "compiled", "python"):
        raise ImportError(f"LB_ENGINE is {wanted!r}; it can be compiled or python")
    if wanted != "python":
        missing = not_compiled(directory)
        if not missing:
            return
        if wanted == "compiled" or os.environ.get("LB_REQUIRE_COMPILED") == "1":
            raise ImportError(f"the compiled engine is wanted, but {', '.join(missing)} of {package} was not built")
    sys.meta_path.insert(0, SourcesOnly(package))


def not_compiled(directory: Path) -> list[str]:
    """The modules that have types for being compiled (a `.pxd`) and were not, by their paths without suffix."""
    return sorted(
        str(typed.relative_to(directory).with_suffix(""))
        for typed in directory.rglob("*.pxd")
        if not any(typed.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES)
    )
