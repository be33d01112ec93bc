"""How many connections one client has at once, over all workers: a count-min sketch per worker, in shared memory.

Every worker has a sheet of its own, which it alone writes: rows of counters, in each of which a key has one cell.
Arriving adds one in every row, leaving subtracts it. A client's count in a worker is the least of its counters there;
its total is the least of the rows' sums over the sheets. Other clients that share its cell in every row make its count
too high, never too low: with 4,000 other clients of ten connections each, one in 5,000 clients is counted as one of
them. No entry can be displaced, so a flood of addresses neither hides any nor costs more memory.

A sheet is cleared by the worker that takes it over, so the counts of a killed worker go with its connections. Two
workers that accept one client at the same instant may exceed its limit by one each. Beyond 256 workers two share a
sheet, and may lose a count if both change it at once; counters never go below zero.

This file knows neither addresses nor connections.
"""

from __future__ import annotations

import mmap

_ROWS = 4
_ROW_BITS = 15
_WIDTH = 1 << _ROW_BITS  # counters per row
_SHEET = _ROWS * _WIDTH
_SHEETS = 256  # of 512 KiB; no page of one is resident before a client is counted on it


class ConnectionCounts:
    """The sheets of all workers. Made before the first fork; each worker then calls `begin`."""

    __slots__ = ("_cells", "_own", "_written")

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, _SHEETS * _SHEET * 4)).cast("I")
        self._written = memoryview(mmap.mmap(-1, (_SHEETS + 1) * 4)).cast("I")  # sheets in use; how far to look
        self._own = 0

    def begin(self, slot: int) -> None:
        """Take the sheet of the worker in this slot, counted from 0."""
        self._own = slot % _SHEETS
        if self._written[self._own]:
            first = self._own * _SHEET
            for place in range(first, first + _SHEET):
                self._cells[place] = 0

    def detach(self) -> None:
        """Another worker takes over this one's sheet: count on a private one that no other process reads."""
        self._own = 0
        self._cells = memoryview(mmap.mmap(-1, _SHEET * 4)).cast("I")
        self._written = memoryview(mmap.mmap(-1, (_SHEETS + 1) * 4)).cast("I")

    def arrive(self, key: int, limit: int) -> bool:
        """Count one more connection of the client with this key; False, and nothing counted, if it has `limit`."""
        if self.count(key) >= limit:
            return False
        if not self._written[self._own]:
            self._written[self._own] = 1
            if self._written[_SHEETS] <= self._own:
                self._written[_SHEETS] = self._own + 1
        first = self._own * _SHEET
        for row in range(_ROWS):
            self._cells[first + row * _WIDTH + ((key >> row * _ROW_BITS) & (_WIDTH - 1))] += 1
        return True

    def leave(self, key: int) -> None:
        """A connection that was counted here has ended."""
        first = self._own * _SHEET
        for row in range(_ROWS):
            place = first + row * _WIDTH + ((key >> row * _ROW_BITS) & (_WIDTH - 1))
            if self._cells[place]:
                self._cells[place] -= 1

    def count(self, key: int) -> int:
        """Connections of the client with this key: exact, or a few too many."""
        sheets = self._written[_SHEETS]
        least = -1
        for row in range(_ROWS):
            total = 0
            place = row * _WIDTH + ((key >> row * _ROW_BITS) & (_WIDTH - 1))
            for sheet in range(sheets):
                if self._written[sheet]:
                    total += self._cells[place + sheet * _SHEET]
            if least < 0 or total < least:
                least = total
        return least
