"""The board: the state of all processes in shared memory, written by the supervisor and read by the admin process.

Every figure is one aligned 64-bit integer, so a reader never sees half of one. The board is created before the first
fork and lives as long as the supervisor. A worker keeps its slot for its whole life: one that a reload has made
superfluous keeps it while it drains, and a new one gets another slot.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Collection
from dataclasses import dataclass

MOST_SLOTS = 2048
"""Slots for the most workers of a configuration (1,024), and for as many that drain."""

_SUPERVISOR, _STARTED, _DRAINING, _SERVING, _USED, _HEADER = range(6)
_PID, _SINCE, _STARTS, _READY, _WANTED, _ROW = range(6)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One slot: `pid` is 0 while it is empty, `since` is in seconds since the epoch, `restarts` is how often it was
    filled again; `retiring`: its process drains and will not be replaced.
    """

    slot: int
    pid: int
    since: int
    restarts: int
    ready: bool
    retiring: bool = False


class Board:
    """The service starts with the slots below `serving`. Times are whole seconds since the epoch."""

    def __init__(self, serving: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, 8 * (_HEADER + _ROW * MOST_SLOTS))).cast("q")
        self._cells[_SUPERVISOR] = os.getpid()
        self._cells[_STARTED] = int(time.time())
        self.assign(range(serving))

    @property
    def serving(self) -> int:
        """The number of slots of the service."""
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
        """From now on the service consists of these slots. Raises IndexError for a slot that does not exist."""
        if not all(0 <= slot < MOST_SLOTS for slot in slots):
            raise IndexError(f"slots {slots} of {MOST_SLOTS}")
        self._cells[_USED] = max(self._cells[_USED], *(slot + 1 for slot in slots))
        for slot in range(self._cells[_USED]):
            row = _HEADER + _ROW * slot
            if slot in slots and not self._cells[row + _WANTED]:
                self._cells[row + _STARTS] = 0  # the slot's previous process was another worker
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
        """The process in the slot has ended."""
        row = _HEADER + _ROW * slot
        self._cells[row + _READY] = 0
        self._cells[row + _PID] = 0

    def workers(self) -> list[WorkerState]:
        """The workers of the service, and those that retire."""
        everyone = [self._worker(slot) for slot in range(self._cells[_USED])]
        return [worker for worker in everyone if worker.pid or not worker.retiring]

    def ready(self) -> bool:
        """Whether every slot of the service has a serving process, and no drain has begun."""
        return not self.draining and all(worker.ready for worker in self.workers() if not worker.retiring)

    def _worker(self, slot: int) -> WorkerState:
        row = _HEADER + _ROW * slot
        pid, since, starts, ready, wanted = self._cells[row : row + _ROW]
        return WorkerState(slot, pid, since, max(0, starts - 1), bool(ready), not wanted)
