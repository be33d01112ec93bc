"""The engine's directory: where it is, and that it is private."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lb.apps.service.directory import EngineDirectory, default_directory


def test_the_directory_is_for_one_user_alone(tmp_path: Path) -> None:
    home = EngineDirectory(tmp_path / "engine")
    home.prepare()
    assert stat.S_IMODE((home.root / "apps").stat().st_mode) == 0o700
    home.root.chmod(0o777)
    with pytest.raises(PermissionError):
        home.prepare()


def test_where_the_directory_is_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_directory({"STATE_DIRECTORY": "/var/lib/lb-engine:/x"}) == Path("/var/lib/lb-engine")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_directory({"XDG_DATA_HOME": "/home/a/data"}) == Path("/home/a/data/lb")
    assert default_directory({}) == Path.home() / ".local" / "share" / "lb"
