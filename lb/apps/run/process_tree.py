"""Who descends from whom, and what a process is, as /proc says it.

Part of the shim: standard library alone. Knows nothing of apps; a process may end between any two lines here.
"""

from __future__ import annotations

import os

PAGE = os.sysconf("SC_PAGE_SIZE")


def read(path: str) -> bytes:
    """The file's content; b"" if it is not there, or the process is another user's."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def start_time(pid: int) -> int:
    """When it started, in clock ticks since boot; 0 if there is no such process. With the pid it names one process."""
    return _field(pid, 22)


def parent(pid: int) -> int:
    return _field(pid, 4)


def is_zombie(pid: int) -> bool:
    """Whether it has ended, and waits for its parent to see it."""
    stat = read(f"/proc/{pid}/stat")
    return stat.rpartition(b")")[2].split()[:1] in ([b"Z"], [b"X"])


def _field(pid: int, number: int) -> int:
    stat = read(f"/proc/{pid}/stat")
    fields = stat.rpartition(b")")[
        2
    ].split()  # the name before may hold blanks and parentheses; what follows is field 3
    return int(fields[number - 3]) if len(fields) > number - 3 else 0


def boot_id() -> str:
    return read("/proc/sys/kernel/random/boot_id").decode().strip()


def pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def children(pid: int) -> list[int]:
    """Its children, the oldest first. One may be missing while others end: who must not miss any asks again."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        found += [int(child) for child in read(f"/proc/{pid}/task/{task}/children").split()]
    return found


def descendants(pid: int) -> list[int]:
    """Those below it, parents before their children."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children(waiting.pop())
        found += below
        waiting += below
    return found


def all_descendants(pid: int) -> list[int]:
    """The same by every process's parent: slower, and none is missed."""
    below: dict[int, list[int]] = {}
    for other in pids():
        below.setdefault(parent(other), []).append(other)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        own = below.pop(waiting.pop(), [])
        found += own
        waiting += own
    return found


def marked(mark: str) -> list[int]:
    """The processes whose environment has `mark`, such as `LB_INSTANCE=…`, as it was when they began."""
    wanted = mark.encode()
    return [pid for pid in pids() if wanted in read(f"/proc/{pid}/environ").split(b"\0")]


def resident(pid: int) -> int:
    """Bytes in memory, shared ones included: cheap, and never less than its PSS."""
    fields = read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * PAGE if len(fields) > 1 else 0


def proportional(pid: int) -> int:
    """Its PSS in bytes: what it shares is counted in part. Its RSS where the kernel does not say."""
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return resident(pid)


def tasks_of_user(uid: int) -> int:
    """How many threads a user has, as RLIMIT_NPROC counts them."""
    count = 0
    for pid in pids():
        try:
            if os.stat(f"/proc/{pid}").st_uid == uid:
                count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue
    return count
