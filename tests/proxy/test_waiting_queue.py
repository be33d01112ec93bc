"""The queue for an instance: the order in which exchanges try again, and what keeps one from stopping the others."""

from __future__ import annotations

import asyncio
from typing import cast

from lb.proxy.waiting_queue import WaitingQueue
from lb.routing.environment import Environment
from lb.routing.policy import Policy
from tests.routing.instances import make

# spec: L5


class Waiter:
    """Tries, and leaves the queue if it is served."""

    def __init__(
        self, queue: WaitingQueue, environment: Environment, *, served: bool = True, choosy: bool = False
    ) -> None:
        self.client = self
        self.tries = 0
        self.served = served
        self.choosy = choosy
        self.fails = False
        self._queue = queue
        self._environment = environment

    def forward(self) -> None:
        self.tries += 1
        if self.fails:
            raise RuntimeError
        if self.served:
            self._queue.leave(self._environment, self)

    def is_choosy(self) -> bool:
        return self.choosy


class Loop:
    """Makes the calls that were asked for when it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def call_soon(self, *call: object) -> None:
        self.calls.append(call)

    def run(self) -> None:
        calls, self.calls = self.calls, []
        for function, *arguments in calls:
            function(*arguments)  # type: ignore[operator]


def queue() -> tuple[WaitingQueue, Environment, Loop, list[object]]:
    loop, failed = Loop(), list[object]()
    made = WaitingQueue(cast("asyncio.AbstractEventLoop", loop), lambda client, _: failed.append(client))
    return made, Environment("shop", "production", make(1), Policy()), loop, failed


def test_all_try_in_their_order_until_one_is_not_served() -> None:
    waiting, environment, loop, _ = queue()
    waiters = [Waiter(waiting, environment, served=served) for served in (True, True, False, True)]
    for waiter in waiters:
        waiting.join(environment, waiter)
    waiting.rouse(environment)
    waiting.rouse(environment)  # once is enough
    assert len(loop.calls) == 1
    loop.run()
    assert [waiter.tries for waiter in waiters] == [1, 1, 1, 0]
    assert waiting.count == 2


def test_one_for_which_nothing_is_right_does_not_stop_those_behind_it() -> None:
    waiting, environment, loop, _ = queue()
    waiters = [Waiter(waiting, environment, served=False, choosy=True), Waiter(waiting, environment)]
    for waiter in waiters:
        waiting.join(environment, waiter)
    waiting.rouse(environment)
    loop.run()
    assert [waiter.tries for waiter in waiters] == [1, 1]
    assert list(environment.waiting) == waiters[:1]


def test_one_that_fails_is_told_and_the_others_try_another_time() -> None:
    waiting, environment, loop, failed = queue()
    waiters = [Waiter(waiting, environment), Waiter(waiting, environment)]
    waiters[0].fails = True
    for waiter in waiters:
        waiting.join(environment, waiter)
    waiting.rouse(environment)
    loop.run()
    assert failed == waiters[:1]
    waiting.leave(environment, waiters[0])
    waiting.serve_all()
    assert waiters[1].tries == 1
    assert waiting.count == 0


def test_nobody_is_roused_where_nobody_waits() -> None:
    waiting, environment, loop, _ = queue()
    waiting.rouse(environment)
    assert loop.calls == []
    waiting.serve_all()
