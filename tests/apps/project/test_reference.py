"""The page about projects has every key, and every name that a value may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.project.ignore import DEFAULT_IGNORE
from lb.apps.project.manifest import _KEYS, SERVERS
from lb.apps.project.system_dependencies import SYSTEM_DEPENDENCIES

PAGE = (Path(__file__).parents[3] / "docs" / "projects.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", _KEYS)
def test_every_key_has_a_row(key: str) -> None:
    assert f"\n| `{key}` | " in PAGE


@pytest.mark.parametrize("name", [*SERVERS, *SYSTEM_DEPENDENCIES, *DEFAULT_IGNORE.split()])
def test_every_name_is_there(name: str) -> None:
    assert f"`{name}`" in PAGE
