"""One attempt at an upgrade: the successor serves, or it does not come that far."""

from __future__ import annotations

import selectors
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from lb.control.upgrade.handover import VARIABLE, Handover
from lb.control.upgrade.launch import Upgrade
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long

# What a successor does, in words of Python: find its line, say something there or on stderr, and end or not.
_LINE = f"import json, os, socket, sys; line = socket.socket(fileno=json.loads(os.environ['{VARIABLE}'])['line']); "


@dataclass
class Attempt:
    """An upgrade whose events are handled when the test looks."""

    selector: selectors.BaseSelector
    succeeded: list[int] = field(default_factory=list)
    failed: list[tuple[str, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.upgrade = Upgrade(self.selector, self.succeeded.append, lambda *failure: self.failed.append(failure))

    def start(self, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
        monkeypatch.setattr(sys, "orig_argv", [sys.executable, "-c", _LINE + code])
        self.upgrade.start(Handover((), ()))

    def is_over(self) -> bool:
        for key, _ in self.selector.select(0.01):
            key.data()
        self.upgrade.look()
        return bool(self.succeeded or self.failed)


@pytest.fixture
def attempt() -> Iterator[Attempt]:
    with selectors.DefaultSelector() as selector:
        made = Attempt(selector)
        yield made
        if made.upgrade._process is not None:
            made.upgrade._process.kill()
            made.upgrade._process.wait()


# spec: R3
def test_a_successor_that_serves(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt.start(monkeypatch, "line.send(b'ready\\n'); line.recv(1)")
    wait_for(attempt.is_over, "the successor to serve")
    assert (attempt.succeeded, attempt.failed) == ([attempt.upgrade.pid], [])
    assert not attempt.selector.get_map()


# spec: R3, E3
def test_one_that_fails_says_why(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt.start(monkeypatch, "print('lb: no such file', file=sys.stderr); sys.exit(78)")
    wait_for(attempt.is_over, "it to fail")
    ((words, status),) = attempt.failed
    assert status == 78
    assert words.endswith("\nlb: no such file")
    assert "lb: no such file" in capsys.readouterr().err
    assert attempt.upgrade.due is None


# spec: R3
def test_one_that_does_not_serve_in_time_is_ended(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt.start(monkeypatch, "line.recv(1)")
    attempt.upgrade.meet_deadlines(time.monotonic())
    assert attempt.failed == []
    attempt.upgrade.meet_deadlines(time.monotonic() + 61)
    ((words, status),) = attempt.failed
    assert words.startswith("it did not serve within 60 s")
    assert status is None
    assert attempt.upgrade._process is not None
    assert attempt.upgrade._process.poll() is not None


def test_a_program_that_cannot_be_started(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(OSError):
        attempt.upgrade.start(Handover((), ()))
    assert not attempt.selector.get_map()
