"""Files that exist whole or not at all, whatever happens meanwhile: written beside their place, then moved there.

This file knows the file system only. A reader sees the old content or the new, never a part of one; what was written is
on the disk before it becomes visible, so that a power cut leaves no empty file, either.
"""

from __future__ import annotations

import os
from pathlib import Path

_HALF = ".new"


def is_half(name: str) -> bool:
    """Whether a file of this name is one that a process was writing: if it is old, the process died meanwhile."""
    return name.startswith(".") and name.endswith(_HALF)


def remove_halves(directory: Path) -> None:
    """Remove what dead processes left in a directory that only the holder of its lock writes to. Raises OSError."""
    for path in directory.iterdir():
        if is_half(path.name):
            path.unlink(missing_ok=True)


def write_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path` at once; it is never readable by more users than `mode` says. Raises OSError."""
    # Processes of several machines and containers may have equal numbers, so only a random part is unique.
    temporary = path.with_name(f".{os.urandom(8).hex()}{_HALF}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def remove_file(path: Path) -> None:
    """Remove `path`, which need not exist. Raises OSError."""
    path.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """Write the move itself to the disk, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
