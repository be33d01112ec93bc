"""Which interpreters are found, and which one a project gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lb.apps.build.pythons import Interpreter, choose, find_pythons
from lb.apps.project.python_version import PythonRequest

VERSIONS = ((2, 7, 18), (3, 9, 1), (3, 10, 2), (3, 12, 1), (3, 12, 10), (3, 9, 18))
INSTALLED = [Interpreter(Path(f"/p/{n}"), version) for n, version in enumerate(VERSIONS)]


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        (PythonRequest(), (3, 12, 10)),  # spec: B10
        (PythonRequest(3), (3, 12, 10)),
        (PythonRequest(3, 9), (3, 9, 18)),
        (PythonRequest(3, 12, 1), (3, 12, 1)),
        (PythonRequest(2), (2, 7, 18)),
        (PythonRequest(2, 7), (2, 7, 18)),
        (PythonRequest(3, 1), None),
        (PythonRequest(3, 12, 2), None),
    ],
)
def test_the_newest_that_fits(request_: PythonRequest, version: tuple[int, int, int] | None) -> None:
    found = choose(request_, INSTALLED)
    assert (found and found.version) == version


def test_python_2_is_not_chosen_unasked() -> None:
    assert choose(PythonRequest(), INSTALLED[:1]) is None


def fake(folder: Path, name: str, answer: str, status: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
    path.chmod(0o755)
    return path


async def test_interpreters_are_asked_and_only_stable_cpython_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setattr("lb.apps.build.pythons._SYSTEM", (f"{tmp_path}/bin/python*",))
    line = '[[{}], "{}", "{}", "{}", "x86_64"]'
    own = fake(tmp_path / "own", "python3", line.format("3, 21, 5", "final", "CPython", ""))
    pyenv = fake(tmp_path / "pyenv/versions/3.22.1/bin", "python3.22", line.format("3, 22, 1", "final", "CPython", ""))
    fake(tmp_path / "pyenv/versions/x/bin", "python3.23", line.format("3, 23, 0", "candidate", "CPython", ""))
    fake(tmp_path / "pyenv/versions/pypy/bin", "python3.24", line.format("3, 24, 0", "final", "PyPy", ""))
    fake(tmp_path / "pyenv/versions/t/bin", "python3.25", line.format("3, 25, 0", "final", "CPython", "t"))
    fake(tmp_path / "pyenv/shims", "python3.26", line.format("3, 26, 0", "final", "CPython", ""))
    fake(tmp_path / "bin", "python3.27", "pyenv: python3.27: command not found", 127)
    fake(tmp_path / "bin", "python3.28-config", line.format("3, 28, 0", "final", "CPython", ""))
    (tmp_path / "bin" / "python3.29").write_text("not executable")
    (tmp_path / "bin" / "python3.22").symlink_to(pyenv)
    uv = fake(tmp_path / "uv/cpython-3.30.0-linux/bin", "python3.30", line.format("3, 30, 0", "final", "CPython", ""))
    fetched = fake(tmp_path / "cache/cpython-3.31.0/bin", "python3.31", line.format("3, 31, 0", "final", "CPython", ""))
    found = await find_pythons((str(own),), tmp_path / "cache")
    assert [python.path for python in found[:-1]] == [own, fetched, pyenv, uv]
    assert found[-1].version == sys.version_info[:3], "the Python that runs lb is always there"
