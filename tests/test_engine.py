"""Which engine runs: compiled modules that are older than their sources are refused, whatever their times say."""

from __future__ import annotations

import json
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from lb._engine import BUILT, changed_sources, choose_engine, compiled_sources, fingerprint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a source tree: a typed module, a twin and a part, all built."""
    monkeypatch.delenv("LB_ENGINE", raising=False)
    monkeypatch.delenv("LB_REQUIRE_COMPILED", raising=False)
    (tmp_path / "setup.py").touch()
    directory = tmp_path / "shop"
    directory.mkdir()
    for name in ("typed.py", "typed.pxd", "twin.pyx", "twin.pxd", "twin.py", "part.pxi"):
        (directory / name).write_text(f"# {name}\n")
    for name in ("typed", "twin"):
        (directory / f"{name}{EXTENSION_SUFFIXES[0]}").touch()
    write_down(directory)
    return directory


def write_down(directory: Path) -> None:
    built = {path.relative_to(directory).as_posix(): fingerprint(path) for path in compiled_sources(directory)}
    (directory / BUILT).write_text(json.dumps(built))


def test_what_was_built_is_taken(package: Path) -> None:
    choose_engine("shop", package)
    assert changed_sources(package) == []


@pytest.mark.parametrize("name", ["typed.py", "typed.pxd", "twin.pyx", "twin.pxd", "part.pxi"])
def test_an_edited_source_is_refused_with_the_next_step(package: Path, name: str) -> None:
    (package / name).write_text("# edited\n")
    with pytest.raises(ImportError, match=rf"older than their sources \({name}\). Run `make build`"):
        choose_engine("shop", package)


def test_the_plain_twin_is_no_source_of_compiled_modules(package: Path) -> None:
    (package / "twin.py").write_text("# edited\n")
    choose_engine("shop", package)


def test_another_time_is_no_change(package: Path) -> None:
    os.utime(package / "typed.py", (0, 0))
    choose_engine("shop", package)


def test_a_build_that_nobody_wrote_down_is_refused(package: Path) -> None:
    (package / BUILT).unlink()
    with pytest.raises(ImportError, match="and 2 more"):
        choose_engine("shop", package)


def test_an_installed_package_is_not_looked_at(package: Path) -> None:
    (package.parent / "setup.py").unlink()
    (package / "typed.py").write_text("# edited\n")
    choose_engine("shop", package)


def test_sources_may_be_edited_where_they_are_what_runs(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LB_ENGINE", "python")
    monkeypatch.setattr("sys.meta_path", list(sys.meta_path))
    (package / "typed.py").write_text("# edited\n")
    choose_engine("shop", package)
