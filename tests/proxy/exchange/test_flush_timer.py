"""What is kept back goes on in time, in order, and whatever happens to one does not hold back the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from lb.proxy.exchange.flush_timer import DELAY, FlushTimer

PATIENCE = 10.0


class Keeping:
    """Notes when it was flushed."""

    def __init__(self, name: str, done: Callable[[Keeping], object]) -> None:
        self.client = name
        self.done = done
        self.began = time.monotonic()

    def flush(self) -> None:
        self.done(self)


async def test_all_are_flushed_in_their_order_and_not_before() -> None:
    # spec: C3
    flushed: list[object] = []
    waited: list[float] = []
    whole = asyncio.Event()

    def note(one: Keeping) -> None:
        flushed.append(one.client)
        waited.append(time.monotonic() - one.began)
        if len(flushed) == 3:
            whole.set()

    timer = FlushTimer(asyncio.get_running_loop(), lambda *_: None)
    for name in "abc":
        timer.expect(Keeping(name, note))
    await asyncio.wait_for(whole.wait(), PATIENCE)
    assert flushed == ["a", "b", "c"]
    assert min(waited) > DELAY / 2


async def test_one_that_fails_costs_the_others_nothing() -> None:
    failed: list[object] = []
    last = asyncio.Event()

    def fail(_: Keeping) -> None:
        raise RuntimeError

    timer = FlushTimer(asyncio.get_running_loop(), lambda client, _: failed.append(client))
    timer.expect(Keeping("bad", fail))
    timer.expect(Keeping("good", lambda _: last.set()))
    await asyncio.wait_for(last.wait(), PATIENCE)
    assert failed == ["bad"]
    again = asyncio.Event()
    timer.expect(Keeping("later", lambda _: again.set()))
    await asyncio.wait_for(again.wait(), PATIENCE)


async def test_one_that_comes_while_others_are_flushed_has_its_turn() -> None:
    # spec: C3
    last = asyncio.Event()
    timer = FlushTimer(asyncio.get_running_loop(), lambda *_: None)
    second = Keeping("second", lambda _: last.set())
    timer.expect(Keeping("first", lambda _: timer.expect(second)))
    await asyncio.wait_for(last.wait(), PATIENCE)
