"""What workers say of instances that fail and work again: once between them, and not again and again."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.outlier import Unhealthy
from lb.routing.policy import Policy
from lb.telemetry.failure_notices import HOLD, FailureNotices
from lb.worker.failures import InstanceFailures
from tests.routing.instances import make

REFUSED = "connection_refused"
DOWN = "app shop production 10.0.0.1:80 is passed over for 1 s, and then gets one request: "
BACK = "app shop production 10.0.0.1:80 works again, after "


class Worker:
    """Two instances as one worker sees them; all workers share `said` and the clock `now`."""

    def __init__(self, said: FailureNotices, count: int = 2, policy: Policy | None = None) -> None:
        self.now = 1000.0
        self.environment = Environment("shop", "production", make(count), policy or Policy())
        self.failures = InstanceFailures(said, lambda: self.now)
        self.environment.observe(self.failures)

    @property
    def first(self) -> Instance:
        return self.environment.instances[0]

    def fail(self, cause: str = REFUSED) -> None:
        self.environment.failed(self.first, self.now, cause)

    def work(self) -> None:
        self.first.worked(self.now)


@dataclass
class Workers:
    one: Worker
    two: Worker

    def wait(self, seconds: float, *, look: bool = True) -> None:
        """Time passes for both, second by second."""
        for _ in range(round(seconds)):
            for worker in (self.one, self.two):
                worker.now += 1.0
                if look:
                    worker.failures.look()


@pytest.fixture
def workers(caplog: pytest.LogCaptureFixture) -> Workers:
    caplog.set_level(logging.INFO, "lb.worker")
    said = FailureNotices()
    return Workers(Worker(said), Worker(said))


def said_by(caplog: pytest.LogCaptureFixture) -> list[str]:
    """`down` and `back`, in order."""
    return ["back" if "works again" in message else "down" for message in caplog.messages]


def test_one_line_each_of_several_workers(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    workers.one.fail()
    workers.two.fail()
    workers.wait(5)
    workers.one.work()
    workers.two.work()
    workers.wait(5)
    assert caplog.messages == [
        DOWN + "The app's instance refused the connection (connection_refused). The app's operator can check that the "
        "app is running and listens on the configured address.",
        BACK + "5 s",
    ]
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]


def test_one_that_comes_and_goes_is_not_said_again_and_again(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    # spec: E3
    for _ in range(20):
        workers.one.fail()
        workers.wait(1)
        workers.one.work()
        workers.wait(1)
    assert len(caplog.messages) <= 4


def test_one_that_fails_again_and_stays_is_said_after_a_while(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    # spec: E3
    workers.one.fail()
    workers.one.work()
    workers.wait(1)
    workers.one.fail()
    workers.wait(HOLD - 5)
    assert said_by(caplog) == ["down", "back"]
    workers.wait(5)
    assert said_by(caplog) == ["down", "back", "down"]


def test_a_worker_that_does_not_know_yet_that_it_works_says_nothing(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    # spec: E3
    workers.one.fail()
    workers.two.fail()
    workers.wait(1)
    workers.one.work()
    workers.wait(10 * HOLD)
    assert said_by(caplog) == ["down", "back"]
    workers.two.fail()  # it has failed since then
    workers.wait(1)
    assert said_by(caplog) == ["down", "back", "down"]


def test_what_a_dead_worker_said_is_forgotten(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3, R3
    workers.one.fail()
    workers.wait(60, look=False)  # nobody sees it fail any more
    workers.two.fail()
    assert said_by(caplog) == ["down", "down"]


def test_the_only_instance_cannot_be_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    worker = Worker(FailureNotices(), 1)
    worker.fail("not_a_socket")
    [line] = caplog.messages
    assert "10.0.0.1:80 fails, and no other instance can serve in its place: The configured path" in line
    assert "(not_a_socket)" in line


def test_bad_answers_are_named(caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    worker = Worker(FailureNotices(), 2, Policy(unhealthy=Unhealthy(0.5, frozenset({503}))))
    worker.environment.answered(worker.first, 503, 0.0, worker.now)
    [line] = caplog.messages
    assert line == DOWN + "it answered late, or with a status that unhealthy_status names (unhealthy_answer)"


def test_one_that_belongs_to_nobody_any_more_is_left_alone(workers: Workers) -> None:
    worker = workers.one
    worker.fail()
    worker.first.retired = True
    workers.wait(1)
    assert not worker.failures._failing
