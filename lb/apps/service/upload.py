"""The source of a deploy as it arrives: written to a file beside the release, checked for room, unpacked, removed.

This file knows pieces of an archive and the disk. What an archive may hold is lb.apps.build.archive's business.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from lb.apps.build.archive import ArchiveError, unpack
from lb.apps.service.parts import NotBuiltError
from lb.config.units import show_size

_SPARE = 1 << 30  # bytes that stay free, besides twice the archive
_LARGEST = 2 << 30  # bytes of an archive

NextChunk = Callable[[], Awaitable[bytes | None]]


async def receive_source(next_chunk: NextChunk, size: int, path: Path, make_room: Callable[[], None]) -> None:
    """Puts what arrives into the directory `path`. `size` is what was announced, 0 where nobody knows. Raises
    NotBuiltError and OSError.
    """
    _check_room(path.parent, size, make_room)
    archive = path.parent / ".source.tar"
    try:
        await _write(next_chunk, archive, make_room)
        await asyncio.to_thread(_unpack, archive, path)
    except ArchiveError as error:
        raise NotBuiltError(str(error), "Nothing was unpacked. Remove it from the project", is_project=True) from None
    finally:
        archive.unlink(missing_ok=True)


def _unpack(archive: Path, path: Path) -> None:
    path.mkdir(mode=0o700)
    unpack(archive, path)


async def _write(next_chunk: NextChunk, archive: Path, make_room: Callable[[], None]) -> None:
    received = 0
    with archive.open("wb") as file:
        while True:
            chunk = await next_chunk()
            if chunk is None:
                raise NotBuiltError("the connection ended before all of the source had arrived", "Deploy again")
            if not chunk:
                return
            received += len(chunk)
            if received > _LARGEST:
                limit = show_size(_LARGEST)
                raise NotBuiltError(f"the source is larger than {limit}", "Name what is not needed in .leanignore")
            if received % (64 << 20) < len(chunk):
                _check_room(archive.parent, received, make_room)
            file.write(chunk)


def _check_room(directory: Path, size: int, make_room: Callable[[], None]) -> None:
    needed = 2 * size + _SPARE
    if shutil.disk_usage(directory).free >= needed:
        return
    make_room()
    free = shutil.disk_usage(directory).free
    if free < needed:
        has, wants = show_size(free >> 20 << 20), show_size(-(-needed >> 20) << 20)
        sentence = f"the disk of {directory} has {has} free, and {wants} are needed"
        raise NotBuiltError(sentence, "Free some space, or lower engine.keep_releases")
