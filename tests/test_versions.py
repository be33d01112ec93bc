"""constraints.txt holds what is tested: names and versions, of all that pyproject.toml asks for, within its bounds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINES = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
PINNED = {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in LINES}
ASKED = [
    Requirement(text)
    for text in (
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["test"],
    )
]


def test_names_and_versions_only() -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line) for line in LINES)
    assert len(PINNED) == len(LINES)


def test_all_that_is_asked_for_is_there_and_fits() -> None:
    for asked in ASKED:
        assert asked.specifier.contains(PINNED[canonicalize_name(asked.name)]), asked


def test_there_is_an_oldest_version_of_everything() -> None:
    assert all(any(bound.operator == ">=" for bound in asked.specifier) for asked in ASKED)
