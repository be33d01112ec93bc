"""Which process a pid meant when it was written down. A pid alone is never signalled: it may be a stranger's by now."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lb.apps.run import process_tree


@dataclass(frozen=True, slots=True)
class Identity:
    """A pid, the clock tick at which the process began, and the boot in which that was: together they name one."""

    pid: int
    start: int
    boot: str

    @staticmethod
    def of(pid: int) -> Identity:
        return Identity(pid, process_tree.start_time(pid), process_tree.boot_id())

    @staticmethod
    def from_json(record: Any) -> Identity | None:
        try:
            return Identity(int(record["pid"]), int(record["start"]), str(record["boot"]))
        except (TypeError, KeyError, ValueError):
            return None

    def alive(self) -> bool:
        """Whether this process, and no later one with its pid, is still there; a zombie is not."""
        return (
            self.start > 0
            and self.boot == process_tree.boot_id()
            and process_tree.start_time(self.pid) == self.start
            and not process_tree.is_zombie(self.pid)
        )

    def send(self, number: signal.Signals) -> bool:
        """Signals it, and nobody else. False if it is gone."""
        if not hasattr(os, "pidfd_open"):  # not Linux: a small race is left
            return self.alive() and _kill(self.pid, number)
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.alive():  # asked while the handle holds the pid: from here on it cannot change hands
                return False
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
                return True
            return False
        finally:
            os.close(handle)


def _kill(pid: int, number: signal.Signals) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
