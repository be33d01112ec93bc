"""Both engines' modules in one process: the ones imported as usual, and their uncompiled sources beside them."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from lb._engine import SourcesOnly


def is_compiled(module: ModuleType) -> bool:
    return not (module.__file__ or "").endswith(".py")


def need_compiled(module: ModuleType) -> None:
    """Skip the tests of a module without twins, or fail where they are required."""
    if is_compiled(module):
        return
    if os.environ.get("LB_REQUIRE_COMPILED") == "1":
        pytest.fail(f"{module.__name__} is required to be compiled", pytrace=False)
    pytest.skip(f"{module.__name__} is not compiled", allow_module_level=True)


def import_sources(*names: str) -> list[Any]:
    """These modules of `lb`, and all that they import, from their sources; errors stay one class for both twins."""
    kept = {name: module for name, module in sys.modules.items() if name.startswith("lb.") and name != "lb.errors"}
    for name in kept:
        del sys.modules[name]
    finder = SourcesOnly("lb")
    sys.meta_path.insert(0, finder)
    try:
        return [import_module(name) for name in names]
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.startswith("lb.") and name != "lb.errors"]:
            del sys.modules[name]
        sys.modules.update(kept)
        for name, module in kept.items():  # importing has set the packages' attributes to the sources
            package, _, last = name.rpartition(".")
            setattr(sys.modules[package], last, module)
