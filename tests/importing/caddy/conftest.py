"""Imports a Caddyfile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.importing.harness import Import, import_text


@pytest.fixture
def caddy(tmp_path: Path) -> Callable[[str], Import]:
    """Imports a whole file."""
    return lambda text: import_text(tmp_path, text, "Caddyfile")


@pytest.fixture
def site(caddy: Callable[[str], Import]) -> Callable[[str], Import]:
    """Imports one site for shop.example.com over HTTP."""
    return lambda inside: caddy(f"http://shop.example.com {{\n{inside}\n}}\n")
