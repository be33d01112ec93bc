"""What is sent out to be done elsewhere comes back as a result or as a reason, once, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from lb.process.background_job import BackgroundJob, BackgroundJobs
from lb.process.child import Child
from tests.e2e.harness import process
from tests.e2e.harness.waiting import wait_for

# Under pytest-xdist there is a second thread, which Python 3.12 and later warn about; the children here use none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Sender:
    """A supervisor that does nothing else."""

    def __init__(self) -> None:
        self.errands = BackgroundJobs(self.forget)
        self.others = set(process.children(os.getpid()))
        self.told: list[object] = []
        self.own, self.other = socket.socketpair()

    def forget(self, _: Child) -> None:
        self.own.close()
        self.errands.forget()

    def send(self, job: Callable[[], object], patience: float = 20.0) -> Callable[[], None]:
        return self.errands.send(BackgroundJob("errand", job, self.told.append, self.told.append, patience))

    def round(self) -> list[object]:
        """What it was told by now."""
        self.errands.reap()
        self.errands.expire(time.monotonic())
        return self.told

    def is_done(self) -> bool:
        """None of its processes is left."""
        self.round()
        return not set(process.children(os.getpid())) - self.others


@pytest.fixture
def sender() -> Iterator[Sender]:
    before = process.open_files(os.getpid())
    sender = Sender()
    yield sender
    wait_for(sender.is_done, "the processes to end")
    assert sender.errands.due is None
    for end in (sender.own, sender.other):
        end.close()
    assert process.open_files(os.getpid()) == before


@pytest.mark.parametrize("result", ["text", {"a": [1, None]}, b"x" * 5_000_000])
def test_the_result_comes_back(sender: Sender, result: object) -> None:
    sender.send(lambda: result)
    assert wait_for(sender.round, "a result") == [result]


def test_it_is_done_elsewhere(sender: Sender) -> None:
    sender.send(os.getpid)
    [pid] = wait_for(sender.round, "a result")
    assert pid != os.getpid()


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (lambda: 1 / 0, "failed: its process exited with status 1"),
        (lambda: lambda: None, "failed: its process exited with status 1"),  # nobody can send that
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            "failed: its process was killed by SIGKILL (by a user, or by the kernel when memory ran out)",
        ),
        (lambda: time.sleep(100), "took longer than 0 s"),
    ],
)
def test_a_failure_has_a_reason(sender: Sender, job: Callable[[], object], reason: str) -> None:
    sender.send(job, 0.2 if "longer" in reason else 20.0)
    assert wait_for(sender.round, "a reason") == [reason]


def test_it_ends_by_itself_when_nobody_is_left_to_end_it(sender: Sender) -> None:
    def ends_at() -> int:
        return signal.alarm(0)

    sender.send(ends_at, 20.0)
    assert wait_for(sender.round, "a result") == [25]


def test_one_that_was_called_off_says_nothing(sender: Sender) -> None:
    call_off = sender.send(lambda: time.sleep(100))
    call_off()
    call_off()
    wait_for(sender.is_done, "it to end")
    assert sender.told == []


def test_one_that_has_come_back_cannot_be_called_off(sender: Sender) -> None:
    call_off = sender.send(lambda: "done")
    wait_for(sender.round, "a result")
    call_off()
    wait_for(sender.is_done, "it to end")
    assert sender.told == ["done"]


def test_several_at_once(sender: Sender) -> None:
    for number in range(5):
        sender.send(partial(int, number))
    assert wait_for(lambda: len(sender.round()) == 5, "five results")
    assert sorted(map(str, sender.told)) == list("01234")


def test_what_is_the_senders_alone_is_closed_in_it(sender: Sender) -> None:
    sender.send(sender.own.fileno)
    assert wait_for(sender.round, "a result") == [-1]


def test_without_a_process_it_fails_at_once(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    sender.send(lambda: 1)()
    assert sender.told == ["failed: no process can be started (Resource temporarily unavailable)"]
