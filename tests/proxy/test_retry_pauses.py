"""Pauses before another attempt to connect: when each exchange tries again, and that nothing stops the others."""

from __future__ import annotations

from typing import Any

from lb.proxy.retry_pauses import PAUSE, RetryPauses
from tests.proxy.dialogue.loop import SteppedLoop


class Waiter:
    """Tries until it is served at its `last` try, or fails."""

    def __init__(self, pauses: RetryPauses, last: int = 0, *, fails: bool = False) -> None:
        self.client = self
        self.tries = 0
        self._pauses = pauses
        self._last = last
        self._fails = fails

    def serve(self) -> None:
        """From now on, it gets an instance at its next try."""
        self._last = self.tries + 1

    def forward(self) -> None:
        self.tries += 1
        if self._fails:
            raise LookupError
        if self.tries == self._last:
            assert self._pauses.leave(self)


def pauses() -> tuple[RetryPauses, SteppedLoop, list[object]]:
    loop: Any = SteppedLoop()
    failed: list[object] = []
    return RetryPauses(loop, lambda client, _: failed.append(client)), loop, failed


def passes(loop: SteppedLoop, seconds: float) -> None:
    until = loop.now + seconds
    while loop.run_timer(until):
        pass


def test_each_tries_again_after_a_moment_until_it_leaves() -> None:
    paused, loop, _ = pauses()
    waiter = Waiter(paused, last=3)
    paused.join(waiter)
    assert len(paused) == 1
    passes(loop, PAUSE * 0.9)
    assert waiter.tries == 0
    passes(loop, PAUSE)
    assert waiter.tries == 1
    passes(loop, PAUSE * 10)
    assert waiter.tries == 3
    assert len(paused) == 0
    assert not paused.leave(waiter)


def test_one_that_joins_later_has_its_own_pause() -> None:
    paused, loop, _ = pauses()
    first, second = Waiter(paused), Waiter(paused)
    paused.join(first)
    passes(loop, PAUSE / 2)
    paused.join(second)
    passes(loop, PAUSE * 0.6)
    assert (first.tries, second.tries) == (1, 0)
    passes(loop, PAUSE / 2)
    assert (first.tries, second.tries) == (1, 1)


def test_one_that_fails_or_is_ended_by_another_stops_nobody() -> None:
    paused, loop, failed = pauses()
    faulty, last = Waiter(paused, fails=True), Waiter(paused, last=1)

    class Ender(Waiter):
        def forward(self) -> None:
            super().forward()
            paused.leave(ended)

    ender, ended = Ender(paused), Waiter(paused)
    for waiter in (faulty, ender, ended, last):
        paused.join(waiter)
    passes(loop, PAUSE * 1.1)
    assert failed == [faulty]
    assert (ender.tries, ended.tries, last.tries) == (1, 0, 1)


# spec: L5
def test_many_that_wait_in_vain_cost_few_attempts_and_all_go_when_it_works_again() -> None:
    paused, loop, _ = pauses()
    waiters = [Waiter(paused) for _ in range(200)]
    for waiter in waiters:
        paused.join(waiter)
    passes(loop, PAUSE * 10)
    tries = sum(waiter.tries for waiter in waiters)
    assert 20 <= tries <= 20 * 20
    assert max(waiter.tries for waiter in waiters) - min(waiter.tries for waiter in waiters) <= 1
    for waiter in waiters:
        waiter.serve()
    passes(loop, PAUSE * 10)
    assert len(paused) == 0


# spec: L5
def test_one_turn_has_few_attempts_whatever_comes_of_them() -> None:
    paused, loop, _ = pauses()
    waiters = [Waiter(paused, last=1) for _ in range(100)]
    for waiter in waiters:
        paused.join(waiter)
    left: list[int] = []
    while loop.run_timer(loop.now + PAUSE * 10):
        left.append(len(paused))
    assert left == [80, 60, 40, 20, 0]
