"""The package installs where nothing can be compiled, and says so where that is not wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("required", [False, True])
def test_a_compiler_that_fails(tmp_path: Path, *, required: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LB_REQUIRE_COMPILED"}
    environment["CC"] = "/bin/false"
    if required:
        environment["LB_REQUIRE_COMPILED"] = "1"
    command = [sys.executable, "setup.py", "-q", "build_ext", "--force", "-b", str(tmp_path), "-t", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert (done.returncode != 0) is required, done.stderr[-2000:]
    assert not list(tmp_path.rglob("*.so"))


def test_nothing_is_translated_for_a_compiler_that_is_not_there(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LB_REQUIRE_COMPILED"}
    environment["CC"] = str(tmp_path / "no-such-compiler")
    command = [sys.executable, "setup.py", "build_ext", "--force", "-b", str(tmp_path), "-t", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "building lb without its compiled engine: there is no C compiler" in done.stderr
    assert not list(tmp_path.rglob("*"))


def test_a_compiler_without_pythons_headers_costs_one_line(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LB_REQUIRE_COMPILED"}
    environment["CC"] = "/bin/false"
    command = [sys.executable, "setup.py", "-q", "build_ext", "--force", "-b", str(tmp_path), "-t", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20, check=False)
    told = [line for line in done.stderr.splitlines() if line.startswith("building lb without")]
    assert len(told) == 1
    assert "/bin/false cannot compile a file that includes Python.h (are Python's headers installed?)" in told[0]
