"""How long workers may take to end, and what is said about it meanwhile; the clock is the test's."""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass, field

import pytest

from lb.control.ending import Ending, EndingTimes
from lb.process.child import Child, Role, RolePlace
from lb.process.remaining import Share, dump
from lb.telemetry.process_kind import ProcessKind

_OPEN = [Share("WebSocket", "api", "production", 1), Share("download", "api", "production", 2)]


@dataclass(slots=True)
class Worker(Child):
    """Hears what it is told, and notes its signals."""

    told: list[str] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    def send_signal(self, number: int) -> None:
        self.sent.append(number)

    def say(self, verb: str, rest: str = "", descriptors: object = ()) -> bool:  # noqa: ARG002  as a child is told
        self.told.append(verb)
        return True


def worker(pid: int) -> Worker:
    return Worker(Role(f"worker {pid}/2", lambda _: 0, (), pid, RolePlace(ProcessKind.WORKER, pid)), pid=pid)


@pytest.fixture
def workers() -> list[Worker]:
    return [worker(1), worker(2)]


def test_a_drain_is_said_finished_and_over(workers: list[Worker], caplog: pytest.LogCaptureFixture) -> None:
    # spec: L6
    caplog.set_level(logging.INFO)
    ending = Ending(lambda: EndingTimes(drain=30.0))
    assert ending.due is None
    ending.drain(workers, 100.0)
    ending.heard(workers[0], dump(_OPEN))
    ending.heard(workers[1], dump(_OPEN[:1]))
    assert ending.due == 110.0
    assert not ending.look(workers, 109.9)
    assert not caplog.messages
    assert not ending.look(workers, 110.0)
    assert caplog.messages == ["draining: waiting for 2 WebSockets, 2 downloads (api); 20 s left (timeouts.drain)"]
    ending.gone(2)
    ending.look(workers, 120.0)
    assert caplog.messages[-1] == "draining: waiting for 1 WebSocket, 2 downloads (api); 10 s left (timeouts.drain)"
    assert ending.due == 129.0
    assert not ending.look(workers, 129.0)
    assert (workers[0].told, workers[1].told) == (["finish"], [])
    assert "worker 1/2 (pid 1): timeouts.drain is over: closing 1 WebSocket, 2 downloads (api)" in caplog.messages
    assert ending.due == pytest.approx(130.0 - 1 / 3)
    assert not ending.look(workers, 129.5)
    assert ending.look(workers, 129.7)  # so early that what is left has stopped at 130.0
    assert not ending.look(workers, 131.0)  # it is told once
    assert workers[0].told == ["finish"]


def test_who_retires_may_take_for_ever(workers: list[Worker], caplog: pytest.LogCaptureFixture) -> None:
    # spec: L6
    caplog.set_level(logging.INFO)
    ending = Ending()
    ending.retire(workers[0], 100.0)
    ending.heard(workers[0], dump(_OPEN))
    assert not ending.look(workers, 100.0 + 3600.0 * 24)
    assert caplog.messages == ["1 retired workers still serve 1 WebSocket, 2 downloads (api)"]
    assert workers[0].told == []


def test_a_bound_that_changes_holds_for_who_retires_already(workers: list[Worker]) -> None:
    # spec: L6
    limits = [EndingTimes()]
    ending = Ending(lambda: limits[-1])
    ending.retire(workers[0], 100.0)
    ending.look(workers, 150.0)
    limits.append(EndingTimes(retire=60.0))
    assert ending.due == 159.0
    ending.look(workers, 159.0)
    assert workers[0].told == ["finish"]
    assert workers[1].told == []


def test_who_retires_and_does_not_hear_is_killed_when_its_time_is_over(workers: list[Worker]) -> None:
    # spec: L6
    ending = Ending(lambda: EndingTimes(retire=60.0))
    ending.retire(workers[0], 100.0)
    ending.look(workers, 159.0)
    assert (workers[0].told, workers[0].sent) == (["finish"], [])
    assert ending.due == 160.25  # it needs as long as that where clients do not take what is queued for them
    ending.look(workers, 160.2)
    assert workers[0].sent == []
    ending.look(workers, 160.3)
    ending.look(workers, 161.0)
    assert (workers[0].told, workers[0].sent) == (["finish"], [signal.SIGKILL])
    assert ending.due is not None
    assert ending.due > 161.0


@pytest.mark.parametrize(("now", "killed"), [(101.0, 103.0), (129.0, 130.0), (129.9, 130.15), (140.0, 140.25)])
def test_what_is_told_to_stop_is_killed_before_a_drain_has_taken_too_long(
    workers: list[Worker], now: float, killed: float
) -> None:
    # spec: L6
    ending = Ending(lambda: EndingTimes(drain=30.0))
    assert ending.kill_at(50.0, 2.0) == 52.0  # no drain
    ending.drain(workers, 100.0)
    assert ending.kill_at(now, 2.0) == pytest.approx(killed)


def test_a_stop_takes_over_who_retires(workers: list[Worker]) -> None:
    # spec: L6
    ending = Ending(lambda: EndingTimes(drain=2.0, retire=1000.0))
    ending.retire(workers[0], 100.0)
    ending.heard(workers[0], dump(_OPEN))
    ending.drain(workers, 200.0)
    assert ending.open_in(1) == _OPEN
    assert ending.seconds_left(200.5) == 1.5
    ending.look(workers, 201.5)
    assert workers[0].told == workers[1].told == ["finish"]


def test_nothing_is_waited_for_when_all_are_gone(workers: list[Worker]) -> None:
    ending = Ending()
    ending.drain(workers, 100.0)
    for one in workers:
        ending.gone(one.pid)
    assert ending.in_words() == ""
    assert ending.open_in(1) == []
