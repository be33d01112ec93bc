"""What the kernel says of a process: children, memory, descriptors. Linux only."""

from __future__ import annotations

import contextlib
import gc
import os
import re
from collections.abc import Callable
from pathlib import Path

KIB = 1024


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def title(pid: int) -> str:
    """What it calls itself; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _status(pid: int, key: str) -> int:
    match = re.search(rf"^{key}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * KIB


def memory(pid: int) -> int:
    """Resident memory now, bytes."""
    return _status(pid, "VmRSS")


def peak_memory(pid: int) -> int:
    """The most that was ever resident, bytes."""
    return _status(pid, "VmHWM")


def growth_by_round(pid: int, work: Callable[[], object], rounds: int) -> list[int]:
    """By how much resident memory grew with each round of the same work, bytes: a leak shows in every one of them."""
    grown = []
    for _ in range(rounds):
        before = memory(pid)
        work()
        grown.append(memory(pid) - before)
    return grown


def open_files(pid: int) -> int:
    if pid == os.getpid():
        gc.collect()  # what earlier tests left in circles is not this one's
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            entry.readlink()
            count += 1
    return count


def is_alive(pid: int) -> bool:
    """True while the process runs; a zombie is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def cpu(pid: int) -> float:
    """Processor time used so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
