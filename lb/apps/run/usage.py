"""What an instance uses at this moment. (Types; the measuring stands below.)"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory` is the sum of PSS, `files` the bytes in home and /tmp, -1 where they cannot be seen; `cpu` the seconds
    of CPU time since the start, `descriptors` the open files of all processes.

    `memory_high`: over 90 % of the limit without a cgroup, so a replacement beside is wanted.
    """

    memory: int
    cpu: float
    processes: int
    descriptors: int
    files: int
    lines: int
    dropped: int
    memory_high: bool = False
    quota_high: bool = False
