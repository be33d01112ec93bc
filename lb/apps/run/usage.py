"""What an instance uses at this moment, from /proc and its shim's counts. Never raises: what cannot be seen is -1."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lb.apps.run import process_tree

_TICKS = os.sysconf("SC_CLK_TCK")
_HOMES = "/home"  # where a sandbox has its own file system


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory` is the sum of PSS, `files` the bytes in home and /tmp, -1 where they cannot be seen; `cpu` the seconds
    of CPU time of the processes that live and of those they have waited for, `descriptors` the open files of all.

    `memory_high`: over 90 % of the limit where the kernel does not hold it, so a replacement beside is wanted.
    """

    memory: int
    cpu: float
    processes: int
    descriptors: int
    files: int
    lines: int
    dropped: int
    memory_high: bool = False


def measure(stat: dict[str, Any]) -> Usage:
    """From the shim's reply to `stat`; older and newer shims may leave keys out."""
    pids = [int(pid) for pid in stat.get("pids", ())]
    files = int(stat.get("files", -1))
    return Usage(
        memory=sum(process_tree.proportional(pid) for pid in pids),
        cpu=sum(_cpu(pid) for pid in pids),
        processes=len(pids),
        descriptors=sum(_descriptors(pid) for pid in pids),
        files=files if files >= 0 else _sandbox_files(int(stat.get("main", 0))),
        lines=int(stat.get("lines", 0)),
        dropped=int(stat.get("dropped", 0)),
        memory_high=bool(stat.get("memory_high")),
    )


def sockets_of(pids: Iterable[int]) -> set[int]:
    """The inodes of all sockets that these processes hold."""
    found: set[int] = set()
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    target = os.readlink(f"/proc/{pid}/fd/{name}")
                    if target.startswith("socket:["):
                        found.add(int(target[8:-1]))
    return found


def _cpu(pid: int) -> float:
    fields = process_tree.read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS  # user and system time, with the children's


def _descriptors(pid: int) -> int:
    with suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))
    return 0


def _sandbox_files(pid: int) -> int:
    """What the sized file system of a sandbox holds, seen through the app's own root; -1 if it has none of its own."""
    homes = f"/proc/{pid}/root{_HOMES}"
    with suppress(OSError):
        if pid > 0 and os.stat(homes).st_dev != os.stat(_HOMES).st_dev:
            there = os.statvfs(homes)
            return (there.f_blocks - there.f_bfree) * there.f_frsize
    return -1
