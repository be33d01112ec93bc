"""The shim's counts, on files and on this process; the processes of real apps are in test_hostile."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.run import process_tree
from lb.apps.run.shim_watch import ProcessWatch, disk_use, in_words

MB = 1 << 20


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[int, int]]:
    """pid → (RSS, PSS) of the processes below."""
    found: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(process_tree, "descendants", lambda _: list(found))
    monkeypatch.setattr(process_tree, "resident", lambda pid: found[pid][0])
    monkeypatch.setattr(process_tree, "proportional", lambda pid: found[pid][1])
    return found


def test_memory_is_what_is_not_shared(family: dict[int, tuple[int, int]]) -> None:
    watch = ProcessWatch(1, {"memory": 100 * MB}, [])
    family.update({2: (80 * MB, 40 * MB), 3: (80 * MB, 45 * MB)})
    watch.count(0.0)
    assert (watch.memory_high, watch.over) == (False, "")
    family[3] = (80 * MB, 52 * MB)
    watch.count(1.0)
    assert (watch.memory_high, watch.over) == (True, "")
    family[3] = (10 * MB, 10 * MB)
    watch.count(2.0)
    assert not watch.memory_high
    family[3] = (80 * MB, 61 * MB)
    watch.count(3.0)
    assert (watch.over, watch.detail) == ("memory", "100 MB")


def test_processes_are_counted(family: dict[int, tuple[int, int]]) -> None:
    watch = ProcessWatch(1, {"pids": 2}, [])
    family.update({2: (0, 0), 3: (0, 0)})
    watch.count(0.0)
    assert watch.over == ""
    family[4] = (0, 0)
    watch.count(1.0)
    assert (watch.over, watch.detail) == ("processes", "2")


# spec: F1
def test_files_over_the_quota_are_said_first_and_then_end_it(
    tmp_path: Path, family: dict[int, tuple[int, int]]
) -> None:
    watch = ProcessWatch(1, {"quota": MB}, [str(tmp_path)])
    (tmp_path / "a").write_bytes(bytes(3 * MB))
    watch.count(0.0)
    assert watch.warn == "Disk quota exceeded: home and /tmp hold 3 MB, the quota is 1 MB"
    assert watch.over == ""
    (tmp_path / "a").unlink()
    watch.count(20.0)
    assert (watch.over, watch.files) == ("", 0)
    (tmp_path / "a").write_bytes(bytes(3 * MB))
    watch.count(40.0)
    watch.count(60.0)
    assert (watch.over, watch.detail) == ("files", "1 MB")


def test_files_are_not_counted_at_every_tick(tmp_path: Path, family: dict[int, tuple[int, int]]) -> None:
    watch = ProcessWatch(1, {"quota": MB}, [str(tmp_path)])
    watch.count(0.0)
    (tmp_path / "a").write_bytes(bytes(MB))
    watch.count(0.5)
    assert watch.files == 0
    watch.count(10.0)
    assert watch.files == MB


def test_disk_use_follows_no_link_and_survives_what_vanishes(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(bytes(MB))
    empty = disk_use(str(tmp_path / "none"))
    before = disk_use(str(tmp_path / "d"))
    (tmp_path / "d" / "loop").symlink_to(tmp_path)
    assert empty == 0
    assert MB <= before <= disk_use(str(tmp_path / "d")) < 2 * MB


@pytest.mark.parametrize(
    ("size", "words"), [(512 * MB, "512 MB"), (1 << 30, "1 GB"), (1536 * MB, "1.5 GB"), (2048, "2 KB"), (9, "9 bytes")]
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert in_words(size) == words
