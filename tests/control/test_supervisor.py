"""The supervisor with fake workers: real processes and signals, no HTTP."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.control.running import Running
from tests.e2e.harness import process
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


def service(kind: str = "serve", slots: int = 1) -> Running:
    return Running("tests.control.fake_service", kind, str(slots))


def connect(running: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(running.wait_line(r"port (\d+)")[1])), 10)


def say(connection: socket.socket, word: str) -> list[int]:
    """The answer's figures: process id and SIGUSR1s seen."""
    connection.sendall(word.encode() + b"\n")
    return [int(figure) for figure in connection.makefile().readline().split()]


def ask(running: Running) -> list[int]:
    with connect(running) as connection:
        return say(connection, "ask")


def refuses(running: Running) -> bool:
    try:
        connect(running).close()
    except ConnectionRefusedError:
        return True
    return False


def test_ready_is_said_when_every_worker_serves() -> None:
    with service(slots=3) as running:
        running.wait_ready()
        assert len(running.children) == 3
        titles = {Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] for pid in running.children}
        assert titles == {b"lb: worker 1/3", b"lb: worker 2/3", b"lb: worker 3/3"}
        assert ask(running)[0] in running.children


def test_ready_is_not_said_while_a_worker_cannot_start() -> None:
    with service("half", slots=2) as running:
        assert running.wait_end() == 1
        assert "ready" not in running.lines


def test_a_killed_worker_is_replaced_and_the_port_stays_open() -> None:  # spec: R3
    with service(slots=2) as running:
        running.wait_ready()
        before = set(running.children)
        victim = ask(running)[0]
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        seen: set[int] = set()
        while time.monotonic() - killed < 1.0 and len(seen) < 2:
            seen.add(ask(running)[0])  # a refused connection would raise
        assert len(seen) == 2
        assert victim not in seen
        assert len(seen - before) == 1
        running.wait_line(rf"worker ./2 \(pid {victim}\) was killed by SIGKILL \(.* run for \d+\.\d s; .* starts ")


def test_what_waits_in_a_dead_workers_queue_is_served_by_the_next_one() -> None:  # spec: R3
    with service() as running:
        running.wait_ready()
        [victim] = running.children
        os.kill(victim, signal.SIGSTOP)
        with connect(running) as connection:
            connection.sendall(b"ask\n")
            os.kill(victim, signal.SIGKILL)
            answered_by = int(connection.makefile().readline().split()[0])
        assert answered_by != victim
        assert [answered_by] == running.children


def test_sigterm_lets_running_requests_finish_and_refuses_new_ones() -> None:  # spec: R2
    with service(slots=2) as running:
        running.wait_ready()
        with connect(running) as connection:
            connection.sendall(b"hold\n")
            assert connection.recv(5) == b"held\n"
            running.signal(signal.SIGTERM)
            wait_for(lambda: refuses(running), "the port to close")
            assert running.process.poll() is None
            assert say(connection, "go on")
        assert running.wait_end() == 0  # spec: R5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_even_a_worker_that_ignores_it(number: signal.Signals) -> None:  # spec: R2
    with service("stubborn") as running:
        running.wait_ready()
        [worker] = running.children
        running.signal(number)
        running.wait_line("draining")
        time.sleep(0.02)  # sooner it would be the same wish
        running.signal(number)
        running.wait_line("again: stopping at once")
        assert running.wait_end() == 1
        assert not process.is_alive(worker)


def test_a_signal_that_is_doubled_on_its_way_is_one() -> None:  # spec: R2
    with service() as running:
        running.wait_ready()
        with connect(running) as connection:
            connection.sendall(b"hold\n")
            assert connection.recv(5) == b"held\n"
            running.signal(signal.SIGINT)
            running.signal(signal.SIGTERM)
            wait_for(lambda: refuses(running), "the port to close")
            assert say(connection, "go on")
        assert running.wait_end() == 0
        assert "again" not in running.stderr


def test_a_signal_before_anything_serves_still_ends_it_well() -> None:
    with service(slots=2) as running:
        running.wait_line("port")
        wait_for(lambda: running.children, "a first child")
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0


def test_a_drain_with_a_limit_is_cut_and_ends_in_time() -> None:
    with service("limited") as running:
        running.wait_ready()
        with connect(running) as connection:
            connection.sendall(b"hold\n")
            assert connection.recv(5) == b"held\n"
            running.signal(signal.SIGINT)
            running.wait_line("draining took longer than 0.1 s: stopping")
            running.wait_end()


def test_a_crash_loop_ends_with_the_reason() -> None:  # spec: R5
    with service("crash", slots=2) as running:
        assert running.wait_end() == 1
        running.wait_line(r"exited with status 1\. It had run for 0\.\d s; the next one starts in 0\.05 s")
        assert "; it is not replaced" in running.stderr
        assert "RuntimeError: this worker cannot start" in running.stderr
        assert "5 times in a row; giving up" in running.stderr


def test_workers_drain_and_go_when_the_supervisor_is_killed() -> None:  # spec: R3
    with service(slots=2) as running:
        running.wait_ready()
        workers = running.children
        with connect(running) as connection:
            connection.sendall(b"hold\n")
            assert connection.recv(5) == b"held\n"
            running.signal(signal.SIGKILL)
            wait_for(lambda: refuses(running), "the port to close")
            assert say(connection, "go on")[0] in workers
        wait_for(lambda: not any(map(process.is_alive, workers)), "the orphans to go")


def test_sigusr1_reaches_every_worker() -> None:  # spec: R4
    with service(slots=2) as running:
        running.wait_ready()
        running.signal(signal.SIGUSR1)
        wait_for(lambda: {ask(running)[1] for _ in range(20)} == {1}, "both workers to have reopened their logs")


def test_sighup_ends_nothing() -> None:
    with service() as running:
        running.wait_ready()
        [worker] = running.children
        running.signal(signal.SIGHUP)
        running.wait_line("SIGHUP")
        assert ask(running) == [worker, 0]


def test_ctrl_c_at_a_terminal_reaches_workers_through_the_supervisor_only() -> None:
    with service(slots=2) as running:
        running.wait_ready()
        workers = running.children
        for worker in workers:
            os.kill(worker, signal.SIGINT)
        assert ask(running)[0] in workers
        running.signal(signal.SIGINT)
        assert running.wait_end() == 0
        assert "Traceback" not in running.stderr


def test_an_assistant_outlives_the_workers() -> None:
    with service("assistant") as running:
        running.wait_ready()
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0
        assert "assistant: [0] draining=True" in running.lines


def test_an_assistant_that_cannot_start_does_not_end_the_service() -> None:
    with service("bad assistant") as running:
        for _ in range(2):
            running.wait_line(r"assistant \(pid \d+\) exited with status 1")
        wait_for(lambda: running.stderr.count("assistant (pid") > 5, "six tries")
        assert ask(running)
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0


def test_an_assistant_that_has_to_be_killed_does_not_make_the_end_a_failure() -> None:  # spec: R5
    with service("deaf assistant") as running:
        running.wait_ready()
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0
        assert "was killed by SIGKILL (by a user" in running.stderr


def test_no_descriptor_is_lost_by_replacing_workers() -> None:
    with service() as running:
        running.wait_ready()
        before = process.open_files(running.pid)
        for _ in range(3):
            victim = ask(running)[0]
            os.kill(victim, signal.SIGKILL)
            assert ask(running)[0] != victim
        assert process.open_files(running.pid) == before


def test_an_error_that_the_supervisor_meets_does_not_end_the_service() -> None:
    with service() as running:
        running.wait_ready()
        with connect(running) as connection:
            [worker, _] = say(connection, "certificates")
            running.wait_line("a step of the supervisor failed and will be tried again: .*Too many open files")
            assert say(connection, "ask")[0] == worker
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 0
