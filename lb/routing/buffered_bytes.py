"""How many bytes of request bodies are on disk, over all workers: one cell per worker, in shared memory.

Every worker writes its own cell alone. Taking room reads all of them, so two workers that take some at the same instant
may exceed the limit by one piece each. A cell is cleared by the worker that takes it over, since the files of a killed
worker are gone with it. Beyond 256 workers two share a cell, which may then be wrong by a piece.

This file knows neither files nor requests.
"""

from __future__ import annotations

import mmap

_CELLS = 256
_CELL = 8


class BufferedBytes:
    """The cells of all workers. Made before the first fork; each worker then calls `begin`."""

    __slots__ = ("_cells", "_own")

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, _CELLS * _CELL)).cast("q")
        self._own = 0

    def begin(self, slot: int) -> None:
        """Take the cell of the worker in this slot, counted from 0."""
        self._own = slot % _CELLS
        self._cells[self._own] = 0

    def detach(self) -> None:
        """Another worker takes over this one's cell: count in private memory, which no other process reads."""
        mine = self.own()
        self._cells = memoryview(bytearray(_CELLS * _CELL)).cast("q")
        self._own = 0
        self._cells[0] = mine

    def take(self, size: int, limit: int) -> bool:
        """Count `size` more bytes of this worker; False, and nothing counted, if all together would exceed `limit`."""
        if self.total() + size > limit:
            return False
        self._cells[self._own] += size
        return True

    def give_back(self, size: int) -> None:
        """So many of them are no longer on disk."""
        self._cells[self._own] = max(self._cells[self._own] - size, 0)

    def own(self) -> int:
        """Bytes of this worker."""
        return self._cells[self._own]

    def total(self) -> int:
        """Bytes of all workers."""
        return sum(self._cells)
