"""Whether a file is another than it was, told without reading it. This file knows file systems' times only."""

from __future__ import annotations

import os
import time

_FINE = 2_000_000_000  # nanoseconds: times of files are no coarser anywhere

Stamp = tuple[int, ...]


def stamp_of(path: str) -> Stamp:
    """Another one whenever the file is written or replaced, whatever time it is given; empty if it cannot be seen."""
    try:
        found = os.stat(path)  # noqa: PTH116  ten thousand times, where a Path would double the cost
    except OSError:
        return ()
    return found.st_ctime_ns, found.st_mtime_ns, found.st_ino, found.st_size


def is_settled(*stamps: Stamp) -> bool:
    """Whether whoever reads the files now need not read them again while their stamps stay: who writes one right behind
    another may leave it the same.
    """
    newest = max((when for stamp in stamps for when in stamp[:2]), default=0)
    return time.time_ns() - newest > _FINE
