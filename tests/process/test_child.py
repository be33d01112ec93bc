"""One place for a child process: who is in it, what is said to it, and how it ended."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import pytest

from lb.process.channel import Line
from lb.process.child import HANDLED, Child, Role, RolePlace
from lb.process.verbs import Verb
from lb.telemetry.process_kind import ProcessKind
from tests.e2e.harness.waiting import wait_for

pytestmark = [
    pytest.mark.long,
    # Under pytest-xdist there is a second thread, which Python 3.12 and later warn about; the children here use none.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


def started(run: Callable[[socket.socket], int]) -> Child:
    child = Child(Role("tester", run, (), 0, RolePlace(ProcessKind.WORKER)))
    child.start(100.0, lambda _: None)
    return child


def ended(child: Child) -> int:
    wait_for(lambda: not _lives(child), "it to end")
    status = child.reap()
    assert status is not None
    return status


def _lives(child: Child) -> bool:
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def greet(channel: socket.socket) -> int:
    """Says that it is there, and how its signals are, then waits for a word."""
    line = Line(channel)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    ignored = [number for number in HANDLED if signal.getsignal(number) == signal.SIG_IGN]
    line.send(Verb.PONG, f"{signal.SIGTERM in blocked} {sorted(ignored)}")
    channel.setblocking(True)
    channel.recv(100)
    return 7


# spec: R1
def test_a_child_runs_what_its_role_says_and_ends_with_its_status() -> None:
    child = started(greet)
    assert (child.started, child.due, child.ready) == (100.0, None, False)
    assert child.reap() is None
    line = child.line
    assert line is not None
    message = wait_for(lambda: next(iter(line.receive()), None), "it to speak")
    assert message is not None
    ignored = sorted((signal.SIGINT, signal.SIGHUP, signal.SIGUSR2))
    assert (message.verb, message.rest) == (Verb.PONG, f"True {ignored}")
    assert child.say(Verb.PING)
    assert ended(child) == 7
    child.vacate()
    assert (child.pid, child.line) == (0, None)
    assert not child.say(Verb.PING)


# spec: R1
def test_one_that_fails_never_returns_into_the_parents_code(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(_: socket.socket) -> int:
        raise ValueError("on purpose")

    child = started(fail)
    assert ended(child) == 1
    child.vacate()
    assert os.getpid() != child.pid
    capfd.readouterr()


def test_one_that_is_killed_is_told_by_the_signals_number() -> None:
    child = started(greet)
    child.send_signal(signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    child.vacate()
    child.send_signal(signal.SIGKILL)  # nobody is there


def test_where_no_process_can_be_made_the_place_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    child = Child(Role("tester", lambda _: 0, (), 0, RolePlace(ProcessKind.WORKER)))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(OSError):
        child.start(100.0, lambda _: None)
    assert (child.pid, child.line) == (0, None)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
