"""What /proc says of processes that we started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lb.apps.run import process_tree

pytestmark = pytest.mark.long
_FAMILY = (
    "import os, sys, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        print(os.getpid(), flush=True)\n"
    "    time.sleep(300)\ntime.sleep(300)"
)


def test_a_family_is_found_by_both_ways_and_by_its_mark() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _FAMILY], stdout=subprocess.PIPE, env={"LB_TEST_MARK": "family"}, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        below = process_tree.descendants(process.pid)
        assert below[-1] == grandchild
        assert len(below) == 2
        assert set(process_tree.all_descendants(process.pid)) == set(below)
        assert set(process_tree.marked("LB_TEST_MARK=family")) == {process.pid, *below}
        assert process_tree.parent(below[0]) == process.pid
        assert 0 < process_tree.proportional(process.pid) <= process_tree.resident(process.pid)
        for pid in (*below, process.pid):
            os.kill(pid, 9)


def test_one_that_is_not_there_is_nothing() -> None:
    gone = 2**22 + 1  # above pid_max
    assert process_tree.start_time(gone) == process_tree.parent(gone) == process_tree.resident(gone) == 0
    assert process_tree.proportional(gone) == 0
    assert process_tree.children(gone) == process_tree.descendants(gone) == []
    assert not process_tree.is_zombie(gone)


def test_a_name_with_blanks_and_parentheses_confuses_nobody() -> None:
    code = 'open("/proc/self/comm", "w").write("a) 1 2 (b"); print(1, flush=True); input()'
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert process_tree.parent(process.pid) == os.getpid()
        assert process_tree.start_time(process.pid) >= process_tree.start_time(os.getpid())


def test_this_boot_and_this_user_are_known() -> None:
    assert len(process_tree.boot_id()) == 36
    assert process_tree.tasks_of_user(os.getuid()) >= 1
