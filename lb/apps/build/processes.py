"""The processes of a build: which they are, what they use, and how all of them are ended.

A step has a session of its own, and its environment has a mark that its children inherit: one that leaves the session
is found by the mark, or by its parents. Everything is read from /proc; without one (macOS) only the session is known.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

MARK = "LB_BUILD"
_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ROUNDS = 100  # of looking for processes that are left; a fork bomb needs some
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc: `cpu` in seconds, with that of its children that have ended; `started` in ticks since boot."""

    pid: int
    parent: int
    session: int
    zombie: bool
    cpu: float
    started: int


def mark_of(release: Path) -> tuple[str, str]:
    """The variable that marks the processes of the build of a release."""
    return MARK, os.fspath(release)


def members(release: Path, session: int = 0) -> list[Process]:
    """The living processes of a release's build; `session` is that of its step, if one runs."""
    everything = {process.pid: process for process in map(_process, _pids()) if process is not None}
    wanted = "=".join(mark_of(release)).encode()
    found = {
        pid
        for pid, process in everything.items()
        if (session and process.session == session) or (pid != os.getpid() and wanted in _environment(pid))
    }
    while below := {pid for pid, process in everything.items() if process.parent in found} - found:
        found |= below
    return [everything[pid] for pid in sorted(found) if not everything[pid].zombie]


def memory_of(processes: list[Process], limit: int) -> int:
    """Bytes that they use together. Memory that they share is counted once if they may be over the limit."""
    resident = sum(_resident(process.pid) for process in processes)
    return resident if resident <= limit else sum(_proportional(process.pid) for process in processes)


async def end_all(release: Path, session: int = 0, seen: Iterable[Process] = ()) -> bool:
    """Kills every process of a release's build, and those that were `seen` in it; whether none is left.

    One that has left the session and forgotten the mark is known by its parent, until that one ends: so all are listed
    before any is killed.
    """
    known = {process.pid: process.started for process in seen}
    for _ in range(_ROUNDS):
        left = members(release, session) + [process for pid in known if _is_same(process := _process(pid), known[pid])]
        known |= {process.pid: process.started for process in left}
        if session:
            with suppress(OSError):
                os.killpg(session, signal.SIGKILL)
        if not left:
            return True
        for process in left:
            with suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
        await asyncio.sleep(_PAUSE)
    return False


def _is_same(process: Process | None, started: int) -> TypeGuard[Process]:
    return process is not None and process.started == started and not process.zombie


async def end_leftovers(release: Path) -> bool:
    """Ends what the build of an engine that was killed has left running. Whether none is left."""
    return await end_all(release)


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208  it is looked at often
    except OSError:
        return []


def _process(pid: int) -> Process | None:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    if len(fields) < 20:
        return None
    cpu = sum(map(int, fields[11:15])) / _TICKS
    return Process(pid, int(fields[1]), int(fields[3]), fields[0] in (b"Z", b"X"), cpu, int(fields[19]))


def _environment(pid: int) -> list[bytes]:
    return _read(pid, "environ").split(b"\0")


def _resident(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _proportional(pid: int) -> int:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return _resident(pid)


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
