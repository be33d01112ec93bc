"""Processes that became our children because their own parent ended: they are reaped, or they stay zombies for ever.

That happens to the first process of a container, and to one that has asked for it (prctl(2), PR_SET_CHILD_SUBREAPER):
what a health check of the container or a hook started in the background ends up here. This file knows process ids.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection

_FIRST = 1
_GET_CHILD_SUBREAPER = 37


def adopts_orphans() -> bool:
    """Whether this process gets the children of others when these end."""
    if os.getpid() == _FIRST:
        return True
    answer = ctypes.c_int()
    try:
        failed = ctypes.CDLL(None).prctl(_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    except (OSError, AttributeError):  # there is no such call on this system
        return False
    return not failed and bool(answer.value)


def reap_orphans(own: Collection[int]) -> int:
    """Reaps every child that has ended and is not one of `own`; how many there were. Those are left to whoever started
    them and wants to know how they ended: behind one of them others wait for the next call.
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
