"""The process that looks after certificate files: when it looks, and whom it tells."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from lb.certificates import watch_process
from lb.certificates.watch_process import run_upkeep
from lb.process.channel import Line
from lb.process.verbs import Verb
from lb.tls.files.watcher import CertificateWatcher
from tests.e2e.harness.waiting import wait_for


class Looks:
    """Finds something new at these looks."""

    def __init__(self, *found: bool) -> None:
        self.found = list(found)
        self.count = 0

    def look(self) -> bool:
        self.count += 1
        return self.found.pop(0) if self.found else False


@pytest.fixture(autouse=True)
def _loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process leaves its loop to its end; here that is the test's."""
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: loop)
    yield
    loop.close()


def run(looks: Looks, demanded: Callable[[str], bool], talk: Callable[[Line], None]) -> int:
    """The process's work, in this process; `talk` is the supervisor's part, in another thread."""
    ours, theirs = socket.socketpair()

    def supervise() -> None:
        line = Line(ours)
        try:
            talk(line)
        finally:
            ours.close()  # whoever has lost the supervisor ends

    thread = threading.Thread(target=supervise)
    thread.start()
    before = signal.getsignal(signal.SIGTERM)
    try:
        return run_upkeep(cast("CertificateWatcher", looks), theirs, demanded)
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)


def heard(line: Line, *verbs: str) -> list[str]:
    """What is said until all of these verbs have come."""
    said: list[str] = []

    def all_came() -> bool:
        said.extend(f"{message.verb} {message.rest}".strip() for message in line.receive())
        return all(any(one.startswith(verb) for one in said) for verb in verbs)

    wait_for(all_came, f"{verbs}, after {said}")
    return said


# spec: T1
def test_something_new_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_process, "_INTERVAL", 0.01)
    looks = Looks(False, True, False)
    assert run(looks, lambda _: False, lambda line: (heard(line, "certificates", "ready"), None)[1]) == 0
    assert looks.count >= 2


# spec: T7
@pytest.mark.parametrize(("demanded", "answer"), [(True, "certificates"), (False, "denied shop.localhost")])
def test_a_name_that_clients_miss(demanded: bool, answer: str) -> None:
    asked: list[str] = []

    def demand(name: str) -> bool:
        asked.append(name)
        return demanded

    def talk(line: Line) -> None:
        heard(line, "ready")
        line.send(Verb.MISSING, "shop.localhost")
        assert answer in heard(line, answer)

    assert run(Looks(), demand, talk) == 0
    assert asked == ["shop.localhost"]
