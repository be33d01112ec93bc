"""The queue of an app's deploys."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lb.apps.service.lock import AppQueue, SupersededError
from tests.apps.service.fakes import FakeClock, settle


async def test_the_lock_goes_with_its_holder_and_the_newest_waits(tmp_path: Path) -> None:
    # spec: A5
    queue = AppQueue(tmp_path / "lock", FakeClock())
    never = asyncio.Event()
    said: list[str] = []
    leave = asyncio.Event()

    async def hold(name: str, environment: str = "production", cancelled: asyncio.Event = never) -> str:
        async with queue.turn(environment, name, cancelled, said.append):
            await leave.wait()
            return name

    first = asyncio.ensure_future(hold("first"))
    await settle()
    second, other = asyncio.ensure_future(hold("second")), asyncio.ensure_future(hold("other", "staging"))
    await settle()
    third = asyncio.ensure_future(hold("third"))
    await settle()
    assert isinstance(second.exception(), SupersededError)
    assert said[0] == "first"
    leave.set()
    assert [await one for one in (first, third, other)] == ["first", "third", "other"]
