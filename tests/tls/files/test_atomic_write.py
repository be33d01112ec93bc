"""Files that are there whole or not at all, also where processes that know nothing of each other write them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lb.tls.files.atomic_write import is_half, write_file


def test_writers_with_one_number_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers, where every front door is process 7."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    path = tmp_path / "status.json"
    contents = [bytes([letter]) * 200_000 for letter in b"abc"]
    write_file(path, contents[0])
    torn = []

    def write(content: bytes) -> None:
        for _ in range(40):
            write_file(path, content)

    def read() -> None:
        for _ in range(300):
            found = path.read_bytes()
            if found not in contents:
                torn.append(found)

    with ThreadPoolExecutor(4) as pool:
        for done in [*(pool.submit(write, content) for content in contents), pool.submit(read)]:
            done.result()
    assert torn == []
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_dead_process_left_is_not_touched_and_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            write_file(tmp_path / "a.pem", b"half")
    [left] = tmp_path.iterdir()
    assert is_half(left.name)
    write_file(tmp_path / "a.pem", b"whole", 0o644)
    assert (tmp_path / "a.pem").read_bytes() == b"whole"
    assert left.read_bytes() == b"half"
    assert not is_half("a.pem")


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_file(path, b"x")
    assert path.read_bytes() == b"x"
