"""Detects a change of a file without reading it. This file knows file systems' times only."""

from __future__ import annotations

import os
import time

_FINE = 2_000_000_000  # nanoseconds: no file system's times are coarser

Stamp = tuple[int, ...]


def stamp_of(path: str) -> Stamp:
    """Changes whenever the file is written or replaced, whatever time it is given; empty if it is not accessible."""
    try:
        found = os.stat(path)  # noqa: PTH116  ten thousand times, where a Path would double the cost
    except OSError:
        return ()
    return found.st_ctime_ns, found.st_mtime_ns, found.st_ino, found.st_size


def is_settled(*stamps: Stamp) -> bool:
    """Whether files read now need not be read again while their stamps stay: two writes in quick succession may leave
    the same stamp.
    """
    newest = max((when for stamp in stamps for when in stamp[:2]), default=0)
    return time.time_ns() - newest > _FINE
