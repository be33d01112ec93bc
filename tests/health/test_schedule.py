"""The schedule: everything in its turn, never more at once than it may, and an end that is one."""

from __future__ import annotations

import asyncio

from lb.health.schedule import Schedule


class Turn:
    """Counts its turns; while the gate is closed a turn does not end."""

    def __init__(self, pause: float, gate: asyncio.Event | None = None) -> None:
        self.pause = pause
        self.gate = gate
        self.begun = self.ended = 0
        self.often = asyncio.Event()

    async def run(self) -> float:
        self.begun += 1
        if self.gate is not None:
            await self.gate.wait()
        self.ended += 1
        if self.ended >= 3:
            self.often.set()
        return self.pause


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_each_again_and_again() -> None:
    schedule = Schedule(10)
    quick, slow = Turn(0.001), Turn(3600.0)
    schedule.add(slow, 0.0)
    schedule.add(quick, 0.0)
    await asyncio.wait_for(quick.often.wait(), 10.0)
    assert slow.ended == 1
    await schedule.close()


async def test_so_many_at_once() -> None:
    gate = asyncio.Event()
    schedule = Schedule(3)
    turns = [Turn(3600.0, gate) for _ in range(10)]
    for turn in turns:
        schedule.add(turn, 0.0)
    await settle()
    assert [turn.begun for turn in turns] == [1] * 3 + [0] * 7
    gate.set()
    await settle()
    assert [turn.ended for turn in turns] == [1] * 10
    await schedule.close()


async def test_what_is_removed_ends() -> None:
    gate = asyncio.Event()
    schedule = Schedule(10)
    running, waiting = Turn(0.0, gate), Turn(0.0)
    schedule.add(running, 0.0)
    await settle()
    schedule.add(waiting, 0.0)
    schedule.remove(waiting)
    schedule.remove(running)
    gate.set()
    await settle()
    assert (running.begun, running.ended, waiting.begun) == (1, 0, 0)
    await schedule.close()


async def test_closing_waits_for_nobody() -> None:
    schedule = Schedule(10)
    schedule.add(Turn(0.0, asyncio.Event()), 0.0)
    await settle()
    await asyncio.wait_for(schedule.close(), 10.0)
