"""How many connections one client has at once, over all workers: a count-min sketch a worker, in shared memory.

Every worker has a sheet of its own, which it alone writes: rows of counters, in each of which a key has one place.
Arriving adds one in every row, leaving takes it back. What a client has in a worker is the least of its counters there;
what it has in all is the least of the rows' sums over the sheets. Others that share its place in every row make it
count too much, never too little: with 4,000 other clients of ten connections each, one in 5,000 clients is taken for
one of them. Nothing is stored that could be displaced, so no flood of addresses is forgotten or costs more memory.

A sheet is cleared by the worker that takes it over, so what a killed worker had counted is gone with its connections.
Two workers that let one client in at the same instant may exceed its limit by one each. A worker that still drains
while its place is taken anew takes its leave from counters that do not know it: they stop at nothing, and count too
little until it is gone.

This file knows neither addresses nor connections.
"""

from __future__ import annotations

import mmap

_ROWS = 4
_ROW_BITS = 15
_WIDTH = 1 << _ROW_BITS  # counters a row; 512 KiB a sheet, of which only what is used is ever resident
_SHEET = _ROWS * _WIDTH


class Presence:
    """The sheets of up to `workers` workers. Made before the first fork; each worker then calls `begin`."""

    __slots__ = ("_cells", "_own", "_used", "_workers")

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._cells = memoryview(mmap.mmap(-1, workers * _SHEET * 4)).cast("I")
        self._used = memoryview(mmap.mmap(-1, 4)).cast("I")  # sheets that have ever been taken: the first so many
        self._own = 0

    def begin(self, slot: int) -> None:
        """Take the sheet of this worker, counted from 0; IndexError if there is none."""
        if not 0 <= slot < self._workers:
            raise IndexError(f"sheet {slot} of {self._workers}")
        self._own = slot * _SHEET
        for place in range(self._own, self._own + _SHEET):
            if self._cells[place]:  # a page that was never written is not made by being cleared
                self._cells[place] = 0
        self._used[0] = max(self._used[0], slot + 1)

    def arrive(self, key: int, limit: int) -> bool:
        """Count one more connection of the client with this key; False, and nothing counted, if it has `limit`."""
        if self.count(key) >= limit:
            return False
        for row in range(_ROWS):
            self._cells[self._own + row * _WIDTH + ((key >> row * _ROW_BITS) & (_WIDTH - 1))] += 1
        return True

    def leave(self, key: int) -> None:
        """One connection that was counted here has ended."""
        for row in range(_ROWS):
            place = self._own + row * _WIDTH + ((key >> row * _ROW_BITS) & (_WIDTH - 1))
            if self._cells[place]:
                self._cells[place] -= 1

    def count(self, key: int) -> int:
        """Connections of the client with this key: exact, or a few too many."""
        sheets = self._used[0]
        least = -1
        for row in range(_ROWS):
            total = 0
            place = row * _WIDTH + ((key >> row * _ROW_BITS) & (_WIDTH - 1))
            for _ in range(sheets):
                total += self._cells[place]
                place += _SHEET
            if least < 0 or total < least:
                least = total
        return least
