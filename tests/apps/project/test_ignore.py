"""`.leanignore`: git itself says what a pattern means."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.apps.project.ignore import DEFAULT_IGNORE, IgnoreRules, read_ignore, walk

FILES = (
    "a",
    "b.pyc",
    "src/a",
    "src/deep/a.log",
    "src/deep/b c",
    "build/x",
    "docs/build/y",
    "!x",
    "#y",
    "[z]",
    "venv/v",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    subprocess.run(["git", "init", "-q", root], check=True, capture_output=True)
    return root


def kept_by_git(root: Path, text: str) -> set[str]:
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "exclude").write_text(text, newline="")
    command = ["git", "-c", "core.excludesFile=/dev/null", "ls-files", "-coz", "--exclude-standard"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True)
    return {name for name in done.stdout.decode().split("\0") if name}


def kept(root: Path, text: str) -> set[str]:
    rules = IgnoreRules.of(f"{text}\n/.git\n")
    return {path for path in walk(root, rules) if not (root / path).is_dir()}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the judge here")
@pytest.mark.parametrize(
    "text",
    [
        *("a", "/a", "src/a", "src/", "*.pyc", "*", "*\n!a", "*\n!src/\n!src/a", "build", "/build", "build/"),
        *("**/a", "src/**", "src/**/a.log", "a?log", "*.lo[fg]", "*.lo[!x]", "\\!x", "\\#y", "\\[z\\]", "[[]z]"),
        *("b\\ c", "b c  ", "b c\\ ", "# a", "", "!a", "a\n!a\na", "docs/*", "docs/*/y", "**", "/**/y", "**/build/**"),
        *("d*s", "src/*/", "[", "a\\", "/", "a/", "venv\r\nbuild\r\n", "*/a", "deep/a.log", "src/deep/../a"),
        *("[a-b]", "[^a]", "?", "x/**/y", "***"),
    ],
)  # fmt: skip
def test_patterns_mean_what_they_mean_to_git(tree: Path, text: str) -> None:
    assert kept(tree, text) == kept_by_git(tree, text)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the judge here")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab/*?!.[]-s", min_size=1, max_size=8), min_size=1, max_size=3))
def test_any_patterns_mean_what_they_mean_to_git(tree: Path, lines: list[str]) -> None:
    text = "\n".join(lines)
    assert kept(tree, text) == kept_by_git(tree, text)


def test_without_a_file_the_usual_things_are_left_out(tmp_path: Path) -> None:
    # spec: B16
    for name in ("app.py", "x.pyc", ".git/config", "venv/bin/python", "pkg/__pycache__/x.pyc", "pkg/y.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert list(walk(tmp_path, read_ignore(tmp_path))) == ["app.py", "pkg", "pkg/y.py"]
    (tmp_path / ".leanignore").write_text("pkg\n")
    assert "venv/bin/python" in set(walk(tmp_path, read_ignore(tmp_path)))
    assert all(line in DEFAULT_IGNORE.split() for line in (".git/", ".DS_Store", "*.pyc", "__pycache__/", "venv"))
