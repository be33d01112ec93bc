"""The board: what the supervisor knows of its processes, in shared memory, for the admin process to read.

One writer, the supervisor; every figure is one aligned 64-bit integer, so a reader never sees half of one. It is made
before the first fork and lives as long as the supervisor. A worker has a slot of its own for as long as it lives: one
that a reload has made superfluous keeps its slot while it drains, and another one gets another.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Collection
from dataclasses import dataclass

MOST_SLOTS = 2048
"""Slots for as many workers as a configuration may ask for (1,024), and as many that drain."""

_SUPERVISOR, _STARTED, _DRAINING, _SERVING, _USED, _HEADER = range(6)
_PID, _SINCE, _STARTS, _READY, _WANTED, _ROW = range(6)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One slot: `pid` is 0 while no process is in it, `since` seconds since the epoch, `restarts` how often it was
    filled anew; `retiring` says that the process in it drains and will not be replaced.
    """

    slot: int
    pid: int
    since: int
    restarts: int
    ready: bool
    retiring: bool = False


class Board:
    """The service begins with the slots below `serving`. Times are whole seconds since the epoch."""

    def __init__(self, serving: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, 8 * (_HEADER + _ROW * MOST_SLOTS))).cast("q")
        self._cells[_SUPERVISOR] = os.getpid()
        self._cells[_STARTED] = int(time.time())
        self.assign(range(serving))

    @property
    def serving(self) -> int:
        """How many slots the service consists of."""
        return self._cells[_SERVING]

    @property
    def supervisor(self) -> int:
        """The supervisor's process id."""
        return self._cells[_SUPERVISOR]

    @property
    def started(self) -> int:
        return self._cells[_STARTED]

    @property
    def draining(self) -> bool:
        return bool(self._cells[_DRAINING])

    def drain(self) -> None:
        self._cells[_DRAINING] = 1

    def assign(self, slots: Collection[int]) -> None:
        """From now on the service consists of these slots; IndexError if there is no such slot."""
        if not all(0 <= slot < MOST_SLOTS for slot in slots):
            raise IndexError(f"slots {slots} of {MOST_SLOTS}")
        self._cells[_USED] = max(self._cells[_USED], *(slot + 1 for slot in slots))
        for slot in range(self._cells[_USED]):
            row = _HEADER + _ROW * slot
            if slot in slots and not self._cells[row + _WANTED]:
                self._cells[row + _STARTS] = 0  # whoever was there before was another worker
            self._cells[row + _WANTED] = slot in slots
        self._cells[_SERVING] = len(slots)

    def fill(self, slot: int, pid: int) -> None:
        """A process was started in the slot; it is not ready yet."""
        row = _HEADER + _ROW * slot
        self._cells[row + _READY] = 0
        self._cells[row + _PID] = pid
        self._cells[row + _SINCE] = int(time.time())
        self._cells[row + _STARTS] += 1

    def set_ready(self, slot: int) -> None:
        self._cells[_HEADER + _ROW * slot + _READY] = 1

    def clear(self, slot: int) -> None:
        """The process in the slot ended."""
        row = _HEADER + _ROW * slot
        self._cells[row + _READY] = 0
        self._cells[row + _PID] = 0

    def workers(self) -> list[WorkerState]:
        """Those of the service, and those that retire."""
        everyone = [self._worker(slot) for slot in range(self._cells[_USED])]
        return [worker for worker in everyone if worker.pid or not worker.retiring]

    def ready(self) -> bool:
        """Every slot of the service has a process that serves, and no drain has begun."""
        return not self.draining and all(worker.ready for worker in self.workers() if not worker.retiring)

    def _worker(self, slot: int) -> WorkerState:
        row = _HEADER + _ROW * slot
        pid, since, starts, ready, wanted = self._cells[row : row + _ROW]
        return WorkerState(slot, pid, since, max(0, starts - 1), bool(ready), not wanted)
