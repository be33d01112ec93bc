"""Fixtures of the ACME tests."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.tls.acme.world import World


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power fails here, and a year of days has many writes
    made = World(tmp_path)
    yield made
    await made.close()
