"""Control groups of version 2, where this user may make some: which limits the kernel itself enforces, and a group an
instance.

A group may be made without any controller: then it bounds nothing, but `cgroup.kill` ends all that is in it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PERIOD = 100_000  # µs, of cpu.max
_WANTED = ("cpu", "memory", "pids")


@dataclass(frozen=True, slots=True)
class CgroupSupport:
    """`parent` is the group under which instances get theirs, None if there can be none; `missing` says why."""

    parent: Path | None
    controllers: frozenset[str] = frozenset()
    missing: str = ""


def find(own: Path = Path("/proc/self/cgroup"), mounts: Path = Path("/proc/self/mountinfo")) -> CgroupSupport:
    """What this process may do with its own group. Looks only; `prepare` is what changes something."""
    mount = _mount_point(mounts)
    if mount is None:
        return CgroupSupport(None, missing="cgroup version 2 is not mounted")
    group = _own_group(own)
    if group is None:
        return CgroupSupport(None, missing="this process is in no cgroup of version 2")
    parent = mount / group.lstrip("/")
    if parent.name == _ENGINE:
        parent = parent.parent
    if not os.access(parent, os.W_OK) or not os.access(parent / "cgroup.procs", os.W_OK):
        return CgroupSupport(
            None, missing=f"the cgroup {parent} is not delegated to this user (Delegate=yes in the unit)"
        )
    controllers = frozenset(_words(parent / "cgroup.controllers")) & frozenset(_WANTED)
    absent = ", ".join(name for name in _WANTED if name not in controllers)
    return CgroupSupport(parent, controllers, f"no controller for {absent}" if absent else "")


_ENGINE = "engine"


def prepare(support: CgroupSupport) -> CgroupSupport:
    """Moves this process into a leaf, since a group with processes cannot limit groups below it, and turns limits on.

    Returns what is left if the system refuses.
    """
    if support.parent is None or not support.controllers:
        return support
    try:
        leaf = support.parent / _ENGINE
        leaf.mkdir(exist_ok=True)
        for pid in _words(support.parent / "cgroup.procs"):
            with suppress(OSError):
                (leaf / "cgroup.procs").write_text(pid)
        (support.parent / "cgroup.subtree_control").write_text(
            " ".join(f"+{name}" for name in sorted(support.controllers))
        )
    except OSError as error:
        return CgroupSupport(
            support.parent, frozenset(), f"limits cannot be turned on in {support.parent}: {error.strerror}"
        )
    return support


def make(support: CgroupSupport, name: str, memory: int | None, cpus: float | None, pids: int) -> Path | None:
    """A group for one instance with what can be limited; None where there can be none."""
    if support.parent is None:
        return None
    group = support.parent / name
    try:
        group.mkdir(exist_ok=True)
        for file, value in _limits(support.controllers, memory, cpus, pids):
            if (group / file).exists():
                (group / file).write_text(value)
    except OSError:
        with suppress(OSError):
            group.rmdir()
        return None
    return group


def end(group: str) -> None:
    """Ends all that is in an instance's group."""
    with suppress(OSError):
        (Path(group) / "cgroup.kill").write_text("1")


def remove(group: str) -> None:
    """Removes the group of an instance that has ended."""
    with suppress(OSError):
        Path(group).rmdir()


def _limits(controllers: frozenset[str], memory: int | None, cpus: float | None, pids: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if "memory" in controllers and memory:
        found += [("memory.max", str(memory)), ("memory.swap.max", "0"), ("memory.oom.group", "0")]
    if "cpu" in controllers and cpus:
        found.append(("cpu.max", f"{int(cpus * _PERIOD)} {_PERIOD}"))
    if "pids" in controllers and pids:
        found.append(("pids.max", str(pids)))
    return found


def _mount_point(mounts: Path) -> Path | None:
    for line in _lines(mounts):
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] == "cgroup2":
            return Path(before.split(" ")[4])
    return None


def _own_group(own: Path) -> str | None:
    return next((line[3:] for line in _lines(own) if line.startswith("0::")), None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()
