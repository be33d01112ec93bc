"""An app's identity is made once and kept."""

from __future__ import annotations

import stat
from pathlib import Path

from lb.apps.service.app_record import new_app, read_app, write_app


def test_an_app_keeps_its_identity(tmp_path: Path) -> None:
    record = new_app("shop", 1000.0, "2.7")
    write_app(tmp_path / "app.json", record)
    assert read_app(tmp_path / "app.json") == record
    assert stat.S_IMODE((tmp_path / "app.json").stat().st_mode) == 0o600
    assert len({record.app_id, record.app_key, record.master_key, record.hook_key}) == 4
    assert record.app_key not in repr(record)
