"""What has been logged about failing instances, in shared memory, so that only one of many workers logs it.

A cell holds since when an instance has been reported as failing, or as working again, and when a worker last saw it
failing: a failure that no worker sees any more is forgotten, since the workers that saw it may have died. An instance's
cell is found by a hash of its name; two that share one, which is rare, share their lines too. There is no lock: two
workers that fail in the same microsecond both log it.
"""

from __future__ import annotations

import mmap
from hashlib import blake2b

from lb.telemetry.instance_gauges import Name

HOLD = 30.0
"""Seconds between a line that an instance works again and the next one that it fails."""

_STALE = 10.0  # seconds after which a failure that no worker sees is forgotten
_CELLS = 1 << 14
_WIDTH = 3  # fails since, or 0; last change; last seen failing


class FailureNotices:
    """Times are seconds of the monotonic clock, which all processes share. Made before the workers are."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, _CELLS * _WIDTH * 8)).cast("d")

    def fails(self, name: Name, failed_at: float, now: float) -> bool:
        """An instance is failing, and failed last at `failed_at`. Returns whether to log it: no worker has yet."""
        at = self._place(name)
        since, changed, seen = self._cells[at : at + _WIDTH]
        if since and now - seen < _STALE:
            self._cells[at + 2] = now
            return False
        if changed and (failed_at <= changed or now - changed < HOLD):
            return False  # others have seen it work since then, or it is flapping
        self._cells[at] = self._cells[at + 1] = self._cells[at + 2] = now
        return True

    def works(self, name: Name, now: float) -> float:
        """An instance that was failing works. Returns for how many seconds it was reported as failing, 0.0 if that was
        not reported or its recovery was.
        """
        at = self._place(name)
        since = self._cells[at]
        if not since:
            return 0.0
        self._cells[at] = 0.0
        self._cells[at + 1] = now
        return max(now - since, 0.001)

    def _place(self, name: Name) -> int:
        hashed = blake2b("\0".join(name).encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(hashed, "big") % _CELLS * _WIDTH
