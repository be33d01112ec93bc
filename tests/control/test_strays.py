"""A child that lives while its line is gone: its place is filled, and it may finish what it does."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from lb.control.strays import Strays
from lb.process.child import Child, Role, RolePlace
from lb.telemetry.process_kind import ProcessKind
from tests.control.test_supervisor import ask, connect, say, service
from tests.e2e.harness import process
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


def test_a_worker_whose_line_is_gone_is_replaced_at_once_and_finishes_its_requests() -> None:  # spec: R3
    with service() as running:
        running.wait_ready()
        [worker] = running.children
        with connect(running) as connection:
            connection.sendall(b"hold\n")
            assert connection.recv(5) == b"held\n"
            with connect(running) as other:
                assert say(other, "hang up")[0] == worker
            lost = time.monotonic()
            running.wait_line(rf"worker 1/1 \(pid {worker}\) has lost its line to the supervisor although it lives")
            running.wait_line(r"worker 1/1 \(pid \d+\) serves")
            assert time.monotonic() - lost < 2
            assert ask(running)[0] != worker
            assert process.is_alive(worker)
            assert say(connection, "go on")[0] == worker
        wait_for(lambda: not process.is_alive(worker), "the old one to go")
        running.wait_line(rf"worker 1/1 \(pid {worker}\), which had lost its line, finished")
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0
        assert "hangs" not in running.stderr


def test_a_drain_waits_for_one_that_has_lost_its_line() -> None:  # spec: R2
    with service() as running:
        running.wait_ready()
        [worker] = running.children
        with connect(running) as connection:
            connection.sendall(b"hold\n")
            assert connection.recv(5) == b"held\n"
            with connect(running) as other:
                say(other, "hang up")
            running.wait_line(r"worker 1/1 \(pid \d+\) serves")
            running.signal(signal.SIGTERM)
            running.wait_line("draining")
            wait_for(lambda: running.children == [worker], "the others to go")
            assert say(connection, "go on")[0] == worker
        assert running.wait_end() == 0


def test_one_that_does_not_end_is_told_to_and_then_killed() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as stray:
        assert stray.stdout is not None
        stray.stdout.readline()
        strays = Strays(drain=30)
        strays.take(Child(Role("worker 1/1", lambda _: 0, (), 0, RolePlace(ProcessKind.WORKER)), pid=stray.pid), 100.0)
        assert strays.due == 130.0
        strays.expire(129.0)
        strays.expire(131.0)
        strays.reap()
        assert strays
        assert strays.due == 133.0
        strays.expire(134.0)

        def is_gone() -> bool:
            strays.reap()
            return not strays

        wait_for(is_gone, "it to be killed")
        assert strays.due is None
        stray.returncode = -signal.SIGKILL  # it was reaped here
