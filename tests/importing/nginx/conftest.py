"""Imports a configuration of nginx."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.importing.harness import Import, import_text


@pytest.fixture
def nginx(tmp_path: Path) -> Callable[[str], Import]:
    """Imports a whole file."""
    return lambda text: import_text(tmp_path, text, "nginx.conf")


@pytest.fixture
def server(nginx: Callable[[str], Import]) -> Callable[..., Import]:
    """Imports one server for shop.example.com over HTTP; `http` stands before it."""

    def imported(inside: str, http: str = "") -> Import:
        return nginx(f"{http}\nserver {{ listen 80; server_name shop.example.com;\n{inside}\n}}\n")

    return imported
