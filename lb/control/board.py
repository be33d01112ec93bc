"""The board: what the supervisor knows of its processes, in shared memory, for the admin process to read.

One writer, the supervisor; every figure is one aligned 64-bit integer, so a reader never sees half of one. It is made
before the first fork and lives as long as the supervisor.
"""

from __future__ import annotations

import mmap
import os
import time
from dataclasses import dataclass

_SUPERVISOR, _STARTED, _DRAINING, _HEADER = range(4)
_PID, _SINCE, _STARTS, _READY, _ROW = range(5)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One slot: `pid` is 0 while no process is in it, `since` seconds since the epoch, `restarts` how often it was
    filled anew.
    """

    slot: int
    pid: int
    since: int
    restarts: int
    ready: bool


class Board:
    """Times are whole seconds since the epoch."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._cells = memoryview(mmap.mmap(-1, 8 * (_HEADER + _ROW * slots))).cast("q")
        self._cells[_SUPERVISOR] = os.getpid()
        self._cells[_STARTED] = int(time.time())

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
        return [self._worker(slot) for slot in range(self.slots)]

    def ready(self) -> bool:
        """Every slot has a process that serves, and no drain has begun."""
        return not self.draining and all(worker.ready for worker in self.workers())

    def _worker(self, slot: int) -> WorkerState:
        row = _HEADER + _ROW * slot
        pid, since, starts, ready = self._cells[row : row + _ROW]
        return WorkerState(slot, pid, since, max(0, starts - 1), bool(ready))
