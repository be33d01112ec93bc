"""What a handler raises, and what is raised while that is reported: the poller goes on, and no turn is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from lb.proxy.io.poller import Poller
from tests.proxy.io.wires import Bench, turns


class _Short:
    """The running loop, when there is no memory to tell of anything."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_exception_handler(self, _: object) -> NoReturn:
        raise MemoryError


def fail(*_: object) -> NoReturn:
    raise MemoryError


async def test_the_others_of_a_round_are_told_whatever_one_raises() -> None:
    poller = Poller(_Short(), fail)  # type: ignore[arg-type]
    made = Bench(poller)
    pairs = [made.pair(received=fail) if at % 2 else made.pair() for at in range(6)]
    for _, peer in pairs:
        peer.send(b"x")  # all of them in one round
    for wire, _ in pairs:
        await wire.wait_for("received")
    for wire, peer in pairs:
        wire.abort()
        peer.close()
    poller.close()


async def test_turns_come_after_one_that_raises() -> None:
    poller = Poller(_Short(), fail)  # type: ignore[arg-type]
    made = Bench(poller)
    pairs = [made.pair(received=fail) if at % 2 else made.pair() for at in range(6)]
    for again in range(3):
        for wire, peer in pairs:
            wire.events.clear()
            wire.pause()
            peer.send(b"x")
        await turns()
        for wire, _ in pairs:
            wire.resume()
        for wire, _ in pairs:
            await wire.wait_for("received")
        assert all("lost" not in wire.events for wire, _ in pairs), again
    for wire, peer in pairs:
        wire.abort()
        peer.close()
    poller.close()


async def test_a_turn_that_could_not_be_asked_for_is_asked_for_again() -> None:
    """The flag that says so must not be set before it is so."""
    loop = _Short()
    poller = Poller(loop, fail)  # type: ignore[arg-type]
    made = Bench(poller)
    wire, peer = made.pair()
    wire.pause()
    peer.send(b"x")
    await turns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Short, "call_soon", fail, raising=False)
        with suppress(MemoryError):  # only one of the twins needs a turn for this
            wire.resume()
    other, other_peer = made.pair()
    other.pause()
    other_peer.send(b"x")
    await turns()
    other.resume()
    await other.wait_for("received")
    for one, end in ((wire, peer), (other, other_peer)):
        one.abort()
        end.close()
    poller.close()
