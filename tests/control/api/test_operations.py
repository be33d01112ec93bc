"""What may be asked of a service, and what excludes what."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Iterator

import pytest

from lb.control.api.operations import Operations
from lb.control.api.server import Answer
from lb.control.reload.steps import ReloadOutcome
from lb.control.upgrade.boot_context import BootContext
from lb.control.upgrade.handover import Handover
from lb.sockets.inherited import InheritedSockets
from lb.telemetry.process_kind import ProcessKind


class Service:
    """The supervisor, as far as it is asked."""

    def __init__(self) -> None:
        self.reason = ""
        self.outcome = ReloadOutcome()
        self.retired: list[int] = []
        self.released: list[ProcessKind] = []

    def refusal(self) -> str:
        return self.reason

    def change(self, done: Callable[[ReloadOutcome], None]) -> None:
        done(self.outcome)

    def retire(self, successor: int) -> None:
        self.retired.append(successor)

    def release(self, kind: ProcessKind, done: Callable[[], None]) -> None:
        self.released.append(kind)
        done()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def operations(service: Service) -> Iterator[Operations]:
    origin = BootContext(None, InheritedSockets(), InheritedSockets(), None, None)
    operations = Operations(lambda: {"state": "ready"}, lambda: Handover((), ()), origin)
    with selectors.DefaultSelector() as selector:
        operations.begin(selector, service)
        yield operations
        operations.end()


def asked(operations: Operations, command: str) -> Answer:
    answers: list[Answer] = []
    operations._do(command, answers.append)
    [answer] = answers
    return answer


def test_answers(operations: Operations, service: Service) -> None:
    assert asked(operations, "status") == {"ok": True, "state": "ready"}
    assert asked(operations, "reload") == {"ok": True, "problems": (), "bad_configuration": False, "unchanged": False}
    service.outcome = ReloadOutcome(("lb.yaml:1:1: error: no",), bad_configuration=True)
    answer = asked(operations, "reload")
    assert (answer["ok"], answer["problems"], answer["bad_configuration"]) == (False, service.outcome.problems, True)
    assert asked(operations, "dance") == {"ok": False, "error": "this lb has no command 'dance'"}


def test_no_upgrade_while_something_else_is_under_way(operations: Operations, service: Service) -> None:
    service.reason = "a reload is under way"
    assert asked(operations, "upgrade") == {"ok": False, "error": "a reload is under way"}
    assert not operations.upgrading


def test_no_upgrade_of_a_containers_first_process(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert "container" in asked(operations, "upgrade")["error"]


def test_a_program_that_is_gone(operations: Operations, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    answer = asked(operations, "upgrade")
    assert not answer["ok"]
    assert "it cannot be started" in answer["error"]
    assert "/nowhere/python" in answer["error"]
    assert not operations.upgrading
    assert service.retired == []


def test_one_upgrade_at_a_time(operations: Operations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/sleep")
    monkeypatch.setattr("sys.orig_argv", ["lb", "60"])
    answers: list[Answer] = []
    operations.upgrade(answers.append)
    assert operations.upgrading
    assert asked(operations, "upgrade") == {"ok": False, "error": "an upgrade is under way already"}
    due = operations.due
    assert due is not None
    operations.meet_deadlines(due)
    assert not operations.upgrading
    [answer] = answers
    assert "did not serve within 60 s" in answer["error"]
