"""Processes whose parent has ended: a supervisor that gets them reaps them, and nobody else's children."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lb.process.orphans import adopts_orphans, reap_orphans
from tests.control.running import Running
from tests.e2e.harness import process
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long

_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def adopting() -> Iterator[None]:
    """This process gets orphans, as the first one of a container does."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    assert prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0


def orphan(parent_of: int) -> int:
    """A process that ends at once, and whose parent has ended before; it is a child of `parent_of` then."""
    script = "sleep 60 >&- & echo $!"
    pid = int(subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, check=True).stdout)
    wait_for(lambda: pid in process.children(parent_of), "the process to be adopted")
    os.kill(pid, signal.SIGKILL)
    return pid


def test_orphans_are_reaped_and_children_are_not(adopting: None) -> None:
    assert adopts_orphans()
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"]) as own:
        os.waitid(os.P_PID, own.pid, os.WEXITED | os.WNOWAIT)
        assert reap_orphans({own.pid}) == 0
        assert own.wait() == 7
    pids = [orphan(os.getpid()) for _ in range(3)]
    left = len(pids)
    while left:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        left -= reap_orphans(())
    assert not any(map(process.is_alive, pids))


def test_a_process_like_any_other_adopts_nothing() -> None:
    assert not adopts_orphans()


def test_nothing_has_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as own:
        assert reap_orphans(()) == 0
        own.kill()


# As in a container: the supervisor is the first process, and something that was started there is still running.
_AS_SUBREAPER = f"""
import ctypes, os, subprocess, sys
assert ctypes.CDLL(None).prctl({_SET_CHILD_SUBREAPER}, 1, 0, 0, 0) == 0
subprocess.run(["sh", "-c", "sleep 60 >&- 2>&- & echo orphan $! >&2"], check=True)
os.execv(sys.executable, [sys.executable, "-m", "tests.control.fake_service", "serve", "1"])
"""


def test_a_service_reaps_what_others_left(tmp_path: Path) -> None:
    (tmp_path / "subreaper.py").write_text(_AS_SUBREAPER)
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), str(tmp_path), os.environ.get("PYTHONPATH")]))
    with Running("subreaper", environ={"PYTHONPATH": path}) as running:
        running.wait_ready()
        pid = int(running.wait_line(r"orphan (\d+)")[1])
        assert pid in running.children
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), "it to be reaped")
        [worker] = running.children
        os.kill(worker, signal.SIGKILL)  # a child of its own is still missed, and replaced
        wait_for(lambda: running.children not in ([], [worker]), "the next worker")
        running.wait_line("was killed by SIGKILL")
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0
