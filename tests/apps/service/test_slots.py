"""An instance's name over many processes: its phase, and how long the next start waits."""

from __future__ import annotations

import asyncio

from lb.apps.service.slots import Slot, SlotPhase
from tests.apps.service.fakes import FakeClock


def test_what_starts_first_or_at_once_is_soon_back() -> None:
    slot = Slot("web1", "r1")
    assert slot.is_soon_back
    slot.ended("exit status 3", 10.0)
    assert slot.is_soon_back
    slot.ended("exit status 3", 11.0)
    assert not slot.is_soon_back


def test_a_name_that_fails_again_and_again_waits_longer_up_to_a_minute() -> None:
    slot = Slot("web1", "r1")
    assert slot.phase is SlotPhase.STARTING
    pauses = []
    for _ in range(10):
        slot.ended("exit status 1", 0.0)
        pauses.append(slot.pause)
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert (slot.phase, slot.restarts, slot.last_cause) == (SlotPhase.CRASHING, 0, "exit status 1")


async def test_a_name_that_nobody_fills_any_more_has_no_task() -> None:
    slot = Slot("web1", "r1")
    task = asyncio.ensure_future(FakeClock().sleep(1000.0))
    slot.revival = task
    slot.drop()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert slot.revival is None
