"""Counters of all workers in one piece of shared memory: one row per worker slot, one 64-bit cell per name.

There are more rows than workers: the number of workers changes while the memory stays as it is. The first row is the
parent's own, for what no worker can count.

This file knows rows and cells; `metrics` declares the counters. It does not know when a counter changes: a worker
counts in a list of its own and stores the whole row now and then. The memory is mapped by the parent before it forks,
so a row outlives the worker that wrote it, and the next worker in the slot counts on from there. A cell is written in
one step and has one writer; a row that is read while it is being written may mix two moments, which does not matter for
sums of counters.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Sequence

from lb.telemetry.inherited_counters import InheritedCounters, column_sums
from lb.telemetry.metrics import COUNTER_METRICS

NAMES: tuple[str, ...] = tuple(cell for metric in COUNTER_METRICS for cell in metric.cells.values())
INDEX: dict[str, int] = {name: place for place, name in enumerate(NAMES)}

GAUGES: frozenset[str] = frozenset(
    cell for metric in COUNTER_METRICS if metric.kind == "gauge" for cell in metric.cells.values()
)
"""Cells that describe the present, and so end with the worker."""

_CELL = 8


class CounterRow:
    """The cells of one worker slot, in the order of `NAMES`."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def store(self, values: Sequence[int]) -> None:
        """Write all cells; ValueError unless there is one value per name."""
        self._cells[:] = array("q", values)

    def load(self) -> list[int]:
        """The initial values of a new worker in this slot: the counters as they were left; gauges are reset to zero."""
        for name in GAUGES:
            self._cells[INDEX[name]] = 0
        return self._cells.tolist()


class Slab:
    """The shared memory: `slots` rows, all zero at first. Made before the workers are; ValueError without a slot.

    `memory` is a descriptor for the rows, if other processes get it; -1 otherwise. `earlier` was counted elsewhere, and
    is part of the totals.
    """

    __slots__ = ("_cells", "_slots", "earlier", "memory")

    def __init__(self, slots: int, memory: int = -1, earlier: InheritedCounters | None = None) -> None:
        if slots < 1:
            raise ValueError(f"a slab of {slots} slots")
        self._slots = slots
        self.memory = memory
        self.earlier = earlier or InheritedCounters()
        size = (1 + (1 + slots) * len(NAMES)) * _CELL
        if memory >= 0:
            os.ftruncate(memory, size)
        # The views keep the mapping alive; it goes with the last process that has it. The first cell says how many rows
        # were ever used: the others are all zero, and cost nothing until they are read.
        self._cells = memoryview(mmap.mmap(memory, size)).cast("q")
        self._cells[0] = 1

    def count(self, name: str) -> None:
        """Add one to this counter. Only for the process that made the slab."""
        self._cells[1 + INDEX[name]] += 1

    def row(self, slot: int) -> CounterRow:
        """The row of a slot, counted from 0; IndexError if there is no such slot."""
        if not 0 <= slot < self._slots:
            raise IndexError(f"slot {slot} of {self._slots}")
        self._cells[0] = max(self._cells[0], slot + 2)
        first = 1 + (1 + slot) * len(NAMES)
        return CounterRow(self._cells[first : first + len(NAMES)])

    def total(self) -> dict[str, int]:
        """Every name with its sum over all slots, including earlier counts."""
        sums = column_sums(self._cells, len(NAMES))
        earlier = self.earlier.total()
        return {name: sums[place] + earlier[name] for name, place in INDEX.items()}
