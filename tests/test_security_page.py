"""SECURITY.md names tests as its evidence: each of them has to exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_it_names_exists() -> None:
    named = _NAMED.findall((_ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 20
    missing = [f"{file}::{name}" for file, name in named if name not in _tests_of(_ROOT / file)]
    assert not missing


def test_every_class_has_a_test() -> None:
    rows = [line for line in (_ROOT / "SECURITY.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    assert not [row for row in rows[1:] if not _NAMED.search(row)]
