"""What the shim counts while its app runs: memory, processes, files. Verdicts only; who acts on them is the shim.

Part of the shim: standard library alone. A kernel that bounds an app itself (a cgroup, a sized tmpfs) makes a count
needless: its limit is 0 then.
"""

from __future__ import annotations

import os
import time

from lb.apps.run import process_tree

_HIGH = 0.9  # of a limit: a replacement beside is wanted
_SOONEST, _LATEST = 1.0, 10.0  # seconds between two counts of the files
_SHARE = 20  # a count may take a twentieth of the time


class ProcessWatch:
    """Counts below one process; `over` is the limit that was exceeded, in the words of `Exit.cause`."""

    __slots__ = (
        "_files_at",
        "_limits",
        "_over_before",
        "_paths",
        "_root",
        "detail",
        "files",
        "memory_high",
        "over",
        "warn",
    )

    def __init__(self, root: int, limits: dict[str, int], paths: list[str]) -> None:
        self._root = root
        self._limits = limits
        self._paths = paths
        self._files_at = 0.0
        self._over_before = False
        self.files = -1
        self.memory_high = False
        self.over = ""
        self.detail = ""
        self.warn = ""  # a line for the log, said once

    def count(self, now: float) -> None:
        """One look at everything that is due; `now` is monotonic."""
        if self.over:
            return
        found = process_tree.descendants(self._root)
        most = self._limits.get("pids", 0)
        if most and len(found) > most:
            self.over, self.detail = "processes", str(most)
        elif self._limits.get("memory"):
            self._count_memory(found, self._limits["memory"])
        if not self.over and self._paths and now >= self._files_at:
            self._count_files(now, self._limits.get("quota", 0))

    def _count_memory(self, found: list[int], most: int) -> None:
        self.memory_high = False
        if sum(process_tree.resident(pid) for pid in found) <= most * _HIGH:
            return  # PSS is never more
        used = sum(process_tree.proportional(pid) for pid in found)
        self.memory_high = used > most * _HIGH
        if used > most:
            self.over, self.detail = "memory", in_words(most)

    def _count_files(self, now: float, most: int) -> None:
        began = time.monotonic()
        self.files = sum(disk_use(path) for path in self._paths)
        took = time.monotonic() - began
        self._files_at = now + min(max(took * _SHARE, _SOONEST), _LATEST)
        if not most or self.files <= most:
            self._over_before = False
            return
        if self._over_before:
            self.over, self.detail = "files", in_words(most)
            return
        self._over_before = True
        self.warn = f"Disk quota exceeded: home and /tmp hold {in_words(self.files)}, the quota is {in_words(most)}"


def disk_use(path: str) -> int:
    """The bytes that lie below `path`, as the disk counts them; links are not followed."""
    total = 0
    waiting = [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                    except OSError:
                        continue  # removed meanwhile
        except OSError:
            continue
    return total


def in_words(size: int) -> str:
    """`512 MB`: binary units under the names that sizes of memory go by."""
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{size} bytes"
