"""When a place is filled again after a death, and when never."""

from __future__ import annotations

import pytest

from lb.control.restart_policy import EARLY, LAST_STRAW, after_death, after_failure, in_words, is_hopeless
from lb.process.child import Child, Role, RolePlace
from lb.telemetry.process_kind import ProcessKind

NOW = 1000.0


def child(slot: int | None = 0) -> Child:
    kind = ProcessKind.HEALTH if slot is None else ProcessKind.WORKER
    return Child(Role("worker", lambda _: 0, (), slot, RolePlace(kind)))


# spec: R1
def test_one_that_has_lived_is_followed_at_once() -> None:
    one = child()
    one.early_deaths = 3
    after_death(one, NOW, EARLY)
    assert (one.due, one.early_deaths) == (NOW, 0)
    assert in_words(one, NOW) == "another one starts now"


# spec: R1
def test_those_that_die_early_are_followed_later_and_later() -> None:
    one = child(None)
    waits = []
    for _ in range(12):
        after_death(one, NOW, 0.1)
        assert one.due is not None
        waits.append(one.due - NOW)
    assert waits[:3] == pytest.approx([0.05, 0.1, 0.2])
    assert waits == sorted(waits)
    assert waits[-1] == 10.0
    assert in_words(one, NOW) == "the next one starts in 10 s"


# spec: R1
def test_a_worker_that_cannot_work_ends_the_service_and_an_assistant_does_not() -> None:
    worker, assistant = child(), child(None)
    for one in (worker, assistant):
        for _ in range(LAST_STRAW - 1):
            after_failure(one, NOW)
        assert not is_hopeless(one)
        after_failure(one, NOW)
    assert is_hopeless(worker)
    assert in_words(worker, NOW) == "it is not replaced"
    assert not is_hopeless(assistant)
