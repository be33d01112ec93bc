"""The commands of the control socket: the words on it, and that the service knows each of them."""

from __future__ import annotations

import selectors
from collections.abc import Callable

import pytest

from lb.control.api.command import Command
from lb.control.api.operations import Operations
from lb.control.api.server import Answer
from lb.control.reload.steps import ReloadOutcome
from lb.control.upgrade.boot_context import BootContext
from lb.control.upgrade.handover import Handover
from lb.sockets.inherited import InheritedSockets
from lb.telemetry.process_kind import ProcessKind


class Service:
    """A supervisor that changes nothing."""

    def __init__(self) -> None:
        self.released: list[ProcessKind] = []

    def refusal(self) -> str:
        return "not now"

    def change(self, done: Callable[[ReloadOutcome], None]) -> None:
        done(ReloadOutcome())

    def retire(self, successor: int) -> None:
        raise AssertionError(successor)

    def release(self, kind: ProcessKind, done: Callable[[], None]) -> None:
        self.released.append(kind)
        done()


# spec: R2
def test_the_words_are_those_of_other_versions() -> None:
    """An upgrade meets a service of an earlier or later version: a changed word is one that it does not know."""
    assert [str(command) for command in Command] == ["status", "reload", "upgrade", "release admin"]


# spec: R2
@pytest.mark.parametrize("command", Command)
def test_a_service_knows_each_of_them(command: Command) -> None:
    operations = Operations(
        lambda: {"state": "ready"},
        lambda: Handover((), ()),
        BootContext(None, InheritedSockets(), InheritedSockets(), None, None),
    )
    service = Service()
    answers: list[Answer] = []
    with selectors.DefaultSelector() as selector:
        operations.begin(selector, service)
        operations._do(command.value, answers.append)
        operations._do(f"{command.value}s", answers.append)
        operations.end()
    known, unknown = answers
    assert "no command" not in known.get("error", "")
    assert unknown == {"ok": False, "error": f"this lb has no command '{command.value}s'"}
    assert service.released == []  # it does not drain
