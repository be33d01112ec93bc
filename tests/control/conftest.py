"""Fixtures of the tests of processes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose name leaves room for a Unix socket's."""
    with tempfile.TemporaryDirectory(prefix="lb-") as directory:
        yield Path(directory)
