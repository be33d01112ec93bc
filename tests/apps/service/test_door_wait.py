"""A command waits for the front door, and not for ever."""

from __future__ import annotations

import asyncio

from lb.apps.service.door_wait import wait_until_followed
from lb.apps.service.placements import Applied
from tests.apps.service.fakes import World, settle


async def begun(world: World) -> asyncio.Task[str]:
    await world.deploy()
    waiting = asyncio.create_task(wait_until_followed(world.life, world.figures))
    await settle()
    return waiting


async def test_without_a_front_door_there_is_nothing_to_wait_for(world: World) -> None:
    assert await (await begun(world)) == ""


async def test_it_ends_when_all_workers_follow(world: World) -> None:
    # spec: A5
    world.figures.connected()
    waiting = await begun(world)
    world.figures.heard(Applied("shop", "production", world.life.record.generation - 1), 0.0)
    await settle()
    assert not waiting.done(), "they still go by the placement before"
    world.door_follows()
    assert await waiting == ""


async def test_another_change_meanwhile_is_not_waited_for(world: World) -> None:
    world.figures.connected()
    waiting = await begun(world)
    generation = world.life.record.generation
    world.life.write(world.life.record.next())
    world.figures.heard(Applied("shop", "production", generation), 0.0)
    assert await waiting == ""


async def test_a_front_door_that_goes_away_is_not_waited_for(world: World) -> None:
    world.figures.connected()
    waiting = await begun(world)
    world.figures.lost()
    assert await waiting == ""


async def test_a_front_door_that_does_not_follow_is_said(world: World) -> None:
    world.figures.connected()
    waiting = await begun(world)
    await world.clock.advance(4.9)
    assert not waiting.done()
    await world.clock.advance(0.2)
    assert "has not followed within 5 s" in await waiting
