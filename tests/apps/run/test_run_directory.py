"""Directories of instances, and short paths for their sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.run.run_directory import RunDirectory, directories, effective_root


def test_others_may_pass_and_not_look(tmp_path: Path) -> None:
    place = RunDirectory(tmp_path / "1a2b3c4d")
    place.make()
    assert place.path.stat().st_mode & 0o777 == 0o711
    assert place.id == "1a2b3c4d"
    assert [found.id for found in directories(tmp_path)] == ["1a2b3c4d"]
    place.remove()
    assert directories(tmp_path) == []
    assert directories(tmp_path / "none") == []


def test_records_that_are_none_are_none(tmp_path: Path) -> None:
    place = RunDirectory(tmp_path / "1a2b3c4d")
    place.make()
    assert place.read_instance() is None
    for text in ("", "[1]", "\xff"):
        place.exit_record.write_text(text)
        assert place.read_exit() is None
    place.exit_record.write_text('{"status": 1}')
    assert place.read_exit() == {"status": 1}


def test_a_short_root_is_its_own(tmp_path: Path) -> None:
    root = Path("/run/lb/i")
    assert effective_root(root) == root


def test_a_long_root_has_one_short_stand_in_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lb.apps.run.run_directory._TEMPORARY", tmp_path)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    long, other = Path("/x" * 60), Path("/y" * 60)
    short = effective_root(long)
    assert short == effective_root(long) != effective_root(other)
    assert short.parent == tmp_path
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert effective_root(long).parent == tmp_path
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/z" * 60)
    assert effective_root(long).parent == tmp_path


def test_a_stand_in_that_others_may_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lb.apps.run.run_directory._TEMPORARY", tmp_path)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    short = effective_root(Path("/x" * 60))
    short.chmod(0o777)
    with pytest.raises(PermissionError, match="is not this user's own directory"):
        effective_root(Path("/x" * 60))
    short.rmdir()
    short.symlink_to(tmp_path)
    with pytest.raises((PermissionError, FileExistsError)):
        effective_root(Path("/x" * 60))
