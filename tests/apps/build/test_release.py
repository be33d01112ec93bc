"""Releases: tags that rise, completeness as the last word, and which are kept."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lb.apps.build.release import ReleaseMeta, list_releases, next_tag, prune, remove_release, seal, size_of
from lb.apps.project.start import Serving, StartPlan

CHINA = timedelta(hours=8)
NOON = datetime(2026, 11, 30, 12, 0, 0, 999_999, tzinfo=UTC)
META = ReleaseMeta("first", "me", 1.5, 10, "3.13.0", StartPlan(Serving.WSGI, module="wsgi", server="gunicorn"))


def make(directory: Path, tag: str, *, complete: bool = True) -> Path:
    release = directory / tag
    (release / "source" / "pkg").mkdir(parents=True)
    (release / "venv" / "bin").mkdir(parents=True)
    (release / "source" / "app.py").write_text("x")
    (release / "venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    (release / "build.log").write_text("log")
    if complete:
        seal(release, META)
    return release


def test_tags() -> None:
    # spec: B14
    assert next_tag(NOON, None, CHINA) == "20261130-200000"
    assert next_tag(NOON, None, timedelta()) == "20261130-120000"
    assert next_tag(NOON, "20261130-200000", CHINA) == "20261130-200001"
    assert next_tag(NOON, "20261231-235959", CHINA) == "20270101-000000"  # the clock was set back
    assert next_tag(NOON, "nonsense", CHINA) == "20261130-200000"


def test_a_release_is_complete_last(tmp_path: Path) -> None:
    make(tmp_path, "20261130-120000", complete=False)
    (tmp_path / "other").mkdir()
    (found,) = list_releases(tmp_path)
    assert not found.complete
    seal(found.path, META)
    (found,) = list_releases(tmp_path)
    assert found.complete
    assert found.meta == META
    assert found.source == tmp_path / found.tag / "source"


def test_a_broken_record_is_no_release(tmp_path: Path) -> None:
    release = make(tmp_path, "20261130-120000")
    (release / "meta.json").write_text("{")
    assert not list_releases(tmp_path)[0].complete


def test_nobody_writes_into_a_complete_release(tmp_path: Path) -> None:
    release = make(tmp_path, "20261130-120000")
    inner = [release / "source", release / "source" / "pkg", release / "source" / "app.py", release / "venv" / "bin"]
    assert not any(path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for path in inner)
    assert size_of(release / "source") >= 1


def test_ten_are_kept_and_those_that_run(tmp_path: Path) -> None:
    tags = [f"20261130-1200{n:02}" for n in range(14)]
    for tag in tags:
        make(tmp_path, tag)
    make(tmp_path, "20261130-110000", complete=False)
    make(tmp_path, "20261130-130000", complete=False)
    gone = prune(tmp_path, 10, {tags[0], "20261130-130000"})
    assert gone == ["20261130-110000", *tags[1:4]]
    assert [release.tag for release in list_releases(tmp_path)] == [tags[0], *tags[4:], "20261130-130000"]
    assert prune(tmp_path / "missing", 10, ()) == []


def test_half_a_release_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = make(tmp_path, "20261130-120000")

    def fail(path: Path) -> None:
        raise OSError("stopped")

    monkeypatch.setattr("lb.apps.build.release.shutil.rmtree", fail)
    with pytest.raises(OSError, match="stopped"):
        remove_release(release)
    assert not list_releases(tmp_path)[0].complete
