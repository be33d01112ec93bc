"""CPU time and memory of a process and all its descendants, from Linux's /proc.

CPU time, unlike requests per second, is stable on a busy machine. It is the scheduler's own count in nanoseconds if the
kernel keeps it: ticks are samples, and miss processes that sleep in step with them. Does not know what the processes
do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stat:
    """The relevant part of /proc/PID/stat; `ticks` is user + system, `reaped` the same for its dead children."""

    pid: int
    parent: int
    ticks: int
    reaped: int


def parse_stat(text: str) -> Stat:
    """Read one line of /proc/PID/stat (proc(5)); the command's name in it may hold blanks and parentheses."""
    start, _, rest = text.rpartition(")")
    fields = rest.split()
    own, reaped = (sum(map(int, fields[at : at + 2])) for at in (11, 13))
    return Stat(pid=int(start.split(" ", 1)[0]), parent=int(fields[1]), ticks=own, reaped=reaped)


def parse_pss(text: str) -> int:
    """The proportional set size in bytes, from the text of /proc/PID/smaps_rollup. Raises ValueError without one."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Pss line in smaps_rollup")


def _all_stats() -> Iterator[Stat]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                yield parse_stat((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue


def tree(root: int) -> tuple[Stat, ...]:
    """The process `root` and its descendants. Raises ProcessLookupError when `root` is gone."""
    children: dict[int, list[Stat]] = {}
    found: list[Stat] = []
    for stat in _all_stats():
        children.setdefault(stat.parent, []).append(stat)
        if stat.pid == root:
            found.append(stat)
    if not found:
        raise ProcessLookupError(f"process {root} is gone")
    for stat in found:
        found.extend(children.get(stat.pid, ()))
    return tuple(found)


def cpu_seconds(root: int) -> float:
    """CPU seconds, user and system, that the tree of `root` has used so far, dead children included."""
    return sum(_run_seconds(stat) + stat.reaped * _TICK_S for stat in tree(root))


def _run_seconds(stat: Stat) -> float:
    """Seconds of the living threads of one process."""
    nanoseconds = 0
    try:
        for thread in (_PROC / str(stat.pid) / "task").iterdir():
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):  # this kernel has no such count, or the process has ended
        return stat.ticks * _TICK_S
    return nanoseconds / 1e9


def memory_bytes(root: int) -> int:
    """Proportional set size of the tree of `root` in bytes: memory shared by forked workers counts once."""
    return sum(parse_pss((_PROC / str(stat.pid) / "smaps_rollup").read_text()) for stat in tree(root))
