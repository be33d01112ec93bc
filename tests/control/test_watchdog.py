"""The watchdog: a table of what children answer, and then real processes that hang."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lb.control.watchdog import TIMEOUT, Watchdog
from lb.process.channel import Line
from lb.process.child import Child, Role, RolePlace
from lb.telemetry.process_kind import ProcessKind
from tests.control.test_supervisor import ask, connect, service
from tests.e2e.harness import process
from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, command_environment, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


@dataclass(slots=True)
class FakeChild(Child):
    """Notes what it is sent instead of dying of it."""

    sent: list[int] = field(default_factory=list)
    theirs: Line = field(init=False)

    def __post_init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.line, self.theirs, self.pid = Line(ours), Line(theirs), 4711

    def send_signal(self, number: int) -> None:
        self.sent.append(number)

    def said(self) -> list[str]:
        """What it was told since the last time."""
        return [message.verb for message in self.theirs.receive()]


@pytest.fixture
def one(request: pytest.FixtureRequest) -> Iterator[FakeChild]:
    """A worker, or whatever else the test asks for."""
    slot = getattr(request, "param", 0)
    kind = ProcessKind.HEALTH if slot is None else ProcessKind.WORKER
    fake = FakeChild(Role("somebody", lambda _: 0, (), slot, RolePlace(kind)))
    yield fake
    fake.theirs.close()
    fake.pid = 0
    fake.vacate()


def watch(watchdog: Watchdog, one: FakeChild, since: float, seconds: float, *, busy: bool = False) -> float:
    """Looks whenever it is due, from a time on; returns the time after."""
    now = since
    while now < since + seconds:
        watchdog.look([one], now, busy=busy)
        now = max(watchdog.due, now + 0.001)
    return now


def test_who_answers_is_asked_every_few_seconds_and_left_alone(one: FakeChild) -> None:
    watchdog = Watchdog()
    now = 100.0
    for _ in range(50):
        watchdog.look([one], now, busy=False)
        assert one.said() == ["ping"]
        one.asked = 0  # the supervisor heard an answer
        assert watchdog.due == pytest.approx(now + TIMEOUT / 6)
        now = watchdog.due
    assert one.sent == []


def test_a_child_that_does_not_answer_is_asked_once_and_ended_after_the_timeout(one: FakeChild) -> None:
    watchdog = Watchdog()
    now = watch(watchdog, one, 100.0, TIMEOUT)
    assert one.said() == ["ping"]
    assert one.sent == []
    watchdog.look([one], now, busy=False)
    assert one.sent == [signal.SIGABRT]
    assert watchdog.due == now + 2.0
    watchdog.look([one], now + 2.0, busy=False)
    assert one.sent == [signal.SIGABRT, signal.SIGKILL]
    # The kernel may hold on to it for longer than that: everything from the beginning, and not all at once.
    once_more = watch(watchdog, one, now + 2.001, TIMEOUT - 2.001)
    assert once_more == pytest.approx(now + TIMEOUT)
    assert one.sent == [signal.SIGABRT, signal.SIGKILL]
    watchdog.look([one], once_more, busy=False)
    assert one.sent == [signal.SIGABRT, signal.SIGKILL, signal.SIGABRT]


def test_looking_more_often_asks_no_more_often(one: FakeChild) -> None:
    watchdog = Watchdog()
    for tenth in range(10 * int(TIMEOUT)):
        watchdog.look([one], 100.0 + tenth / 10, busy=False)
    assert one.sent == []


def test_with_a_short_timeout_too_its_last_words_are_waited_for(one: FakeChild) -> None:
    watchdog = Watchdog(0.6)
    watch(watchdog, one, 100.0, 0.6 + 1.9)
    assert one.sent == [signal.SIGABRT]


def test_one_that_ends_by_sigabrt_is_not_killed_and_its_number_is_forgotten(one: FakeChild) -> None:
    watchdog = Watchdog()
    now = watch(watchdog, one, 100.0, TIMEOUT + 0.001)
    assert one.sent == [signal.SIGABRT]
    one.pid = 0
    watchdog.look([one], now, busy=False)
    one.pid = 4711  # the system gave the number to another one
    watchdog.look([one], now + 2.0, busy=False)
    assert one.sent == [signal.SIGABRT]


def test_time_in_which_nobody_could_ask_does_not_count(one: FakeChild) -> None:
    watchdog = Watchdog()
    watchdog.look([one], 100.0, busy=False)
    for hour in range(1, 6):  # the machine sleeps; at each end of it the supervisor may be the first to run
        watchdog.look([one], 100.0 + 3600 * hour, busy=False)
    assert one.sent == []


def test_while_a_change_is_prepared_nobody_counts(one: FakeChild) -> None:
    watchdog = Watchdog()
    now = watch(watchdog, one, 100.0, 10 * TIMEOUT, busy=True)
    assert one.sent == []
    watch(watchdog, one, now, TIMEOUT + 1)
    assert one.sent[:1] == [signal.SIGABRT]


@pytest.mark.parametrize("one", [None], indirect=True, ids=["assistant"])
def test_assistants_get_longer(one: FakeChild) -> None:
    watchdog = Watchdog()
    now = watch(watchdog, one, 100.0, 9 * TIMEOUT)
    assert one.sent == []
    watch(watchdog, one, now, TIMEOUT + 1)
    assert one.sent == [signal.SIGABRT]


def test_a_stopped_worker_is_killed_and_replaced() -> None:  # spec: R3
    with service("watched", slots=2) as running:
        running.wait_ready()
        victim, survivor = running.children
        os.kill(victim, signal.SIGSTOP)
        running.wait_line(rf"\(pid {victim}\) hangs: it has not answered for 0.5 s")
        running.wait_line(rf"\(pid {victim}\) was killed by SIGKILL")
        wait_for(lambda: {ask(running)[0] for _ in range(10)} == set(running.children), "both to answer")
        assert survivor in running.children


def test_a_worker_whose_loop_hangs_says_where_and_is_replaced() -> None:  # spec: R3
    with service("watched") as running:
        running.wait_ready()
        [victim] = running.children
        with connect(running) as connection:
            connection.sendall(b"hang\n")
            running.wait_line(rf"\(pid {victim}\) was killed by SIGABRT")
        assert "Fatal Python error: Aborted" in running.stderr
        assert "in answer" in running.stderr
        assert ask(running)[0] != victim


def test_a_hanging_worker_does_not_keep_a_drain_for_ever() -> None:  # spec: R2
    with service("watched") as running:
        running.wait_ready()
        os.kill(running.children[0], signal.SIGSTOP)
        running.signal(signal.SIGTERM)
        assert running.wait_end() == 1


def test_real_children_answer_and_one_that_is_stopped_is_replaced(tmp_path: Path) -> None:  # spec: R3
    impatient = "from lb.control.watchdog import Watchdog\nWatchdog.__init__.__defaults__ = (0.6,)\n"
    (tmp_path / "sitecustomize.py").write_text(impatient)
    paths = os.pathsep.join([str(tmp_path), command_environment()["PYTHONPATH"]])
    with Instance(echo()) as instance:
        config = configure(instance.address, workers=2, admin="127.0.0.1:0")
        config["apps"]["shop"]["production"]["health_uri"] = "/"
        with FrontDoor(config, tmp_path, env={"PYTHONPATH": paths}) as door, door.connect() as client:
            assert client.ask(get()).status == 200
            before = {process.title(pid): pid for pid in door.workers}
            assert before.keys() == {"lb: worker 1/2", "lb: worker 2/2", "lb: admin", "lb: health"}
            victim = before["lb: worker 1/2"]
            os.kill(victim, signal.SIGSTOP)
            wait_for(lambda: victim not in door.workers and len(door.workers) == 4, "another worker", 20)
            assert before.items() - {process.title(pid): pid for pid in door.workers}.items() == {
                ("lb: worker 1/2", victim)
            }
            for _ in range(20):
                assert door.ask(get()).status == 200
