"""A source that arrives: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.service.parts import NotBuiltError
from lb.apps.service.upload import receive_source


async def test_a_source_that_does_not_arrive_leaves_nothing(tmp_path: Path) -> None:
    pieces = iter([b"x" * 100, None])

    async def next_chunk() -> bytes | None:
        return next(pieces)

    with pytest.raises(NotBuiltError, match="the connection ended"):
        await receive_source(next_chunk, 100, tmp_path / "source", lambda: None)
    assert not any(path.exists() for path in (tmp_path / "source", tmp_path / ".source.tar"))


async def test_a_source_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    pieces = iter([b"not a tar file at all", b""])

    async def next_chunk() -> bytes | None:
        return next(pieces)

    with pytest.raises(NotBuiltError) as raised:
        await receive_source(next_chunk, 0, tmp_path / "source", lambda: None)
    assert raised.value.is_project


async def test_a_full_disk_is_said_before_anything_is_written(tmp_path: Path) -> None:
    made_room: list[bool] = []

    async def next_chunk() -> bytes | None:
        raise AssertionError

    with pytest.raises(NotBuiltError, match="free, and"):
        await receive_source(next_chunk, 1 << 50, tmp_path / "source", lambda: made_room.append(True))
    assert made_room == [True]
