"""Figures of processes that live, and of those that do not."""

from __future__ import annotations

import os

from lb.apps.run.usage import Usage, measure


def test_this_process_is_measured() -> None:
    usage = measure({"pids": [os.getpid()], "lines": 3, "dropped": 2, "files": 10, "memory_high": True})
    assert usage.memory > 1 << 20
    assert usage.cpu > 0
    assert usage.descriptors >= 3
    assert (usage.processes, usage.lines, usage.dropped, usage.files, usage.memory_high) == (1, 3, 2, 10, True)


def test_what_is_gone_or_unknown_is_nothing() -> None:
    assert measure({}) == Usage(0, 0.0, 0, 0, -1, 0, 0)
    assert measure({"pids": [2**22 + 1], "main": 2**22 + 1}) == Usage(0, 0.0, 1, 0, -1, 0, 0)
