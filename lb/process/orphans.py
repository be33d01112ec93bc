"""Orphans: processes that became children of this one because their parent ended. Unreaped, they would stay zombies.

The first process of a container gets them, and one that asked for it (prctl(2), PR_SET_CHILD_SUBREAPER): for example,
background processes of a container's health check or of a hook. This file knows process ids.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection

_FIRST = 1
_GET_CHILD_SUBREAPER = 37


def adopts_orphans() -> bool:
    """Whether orphans become children of this process."""
    if os.getpid() == _FIRST:
        return True
    answer = ctypes.c_int()
    try:
        failed = ctypes.CDLL(None).prctl(_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    except (OSError, AttributeError):  # this system has no such call
        return False
    return not failed and bool(answer.value)


def reap_orphans(own: Collection[int]) -> int:
    """Reaps every ended child that is not one of `own`; returns how many. Those in `own` are left to the code that
    started them; orphans queued behind one of them wait for the next call.
    """
    count = 0
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return count
        if ended is None or ended.si_pid in own:
            return count
        os.waitpid(ended.si_pid, 0)
        count += 1
