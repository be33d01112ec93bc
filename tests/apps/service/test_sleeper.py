"""Sleep and wake as dialogues with the door."""

from __future__ import annotations

import asyncio

import pytest

from lb.apps.service.deploy_state import DeployKind
from lb.apps.service.placements import PlacementState, RowState
from tests.apps.service.fakes import World, settle, with_settings

ONE = "20261130-090100"


async def asleep(world: World) -> None:
    """A deployed environment that has fallen asleep."""
    with_settings(world, sleep=60.0)
    world.figures.connected()
    await world.deploy()
    world.door_sees(idle=61.0)
    world.door_follows()
    world.door_sees(idle=62.0)
    await world.clock.advance(2.0)


async def test_an_idle_environment_falls_asleep(world: World) -> None:
    # spec: A6
    await asleep(world)
    placement = world.life.placement()
    assert placement.state == PlacementState.ASLEEP
    assert placement.instances == ()
    assert world.machine.names() == []


async def test_rows_say_so_before_anything_ends(world: World) -> None:
    # spec: A6
    with_settings(world, sleep=60.0)
    world.figures.connected()
    await world.deploy()
    world.door_sees(idle=61.0)
    await world.clock.advance(5.0)
    assert [one.state for one in world.life.placement().instances] == [RowState.ASLEEP]
    assert world.machine.names() == ["web1"], "the workers do not follow yet"
    world.door_follows()
    world.door_sees(0.0, 0, **{f"i{world.instance().id}": 1})
    await world.clock.advance(5.0)
    assert world.machine.names() == ["web1"], "a request is under way"
    world.door_sees(idle=1.0)
    await world.clock.advance(2.0)
    assert world.machine.names() == []


async def test_a_request_while_it_falls_asleep_keeps_it_awake(world: World) -> None:
    # spec: A6
    with_settings(world, sleep=60.0)
    world.figures.connected()
    await world.deploy()
    instance = world.instance()
    world.door_sees(idle=61.0)
    world.sleeper.wanted()
    await world.clock.advance(5.0)
    assert [one.state for one in world.life.placement().instances] == [RowState.HEALTHY]
    assert world.instance() is instance


async def test_one_start_for_all_that_wait(world: World) -> None:
    # spec: A6
    await asleep(world)
    world.machine.held = asyncio.Event()
    launched = len(world.machine.launched)
    for _ in range(1000):
        world.sleeper.wanted()
    await settle()
    assert len(world.machine.launched) == launched + 1
    assert world.life.placement().state == PlacementState.WAKING
    world.machine.held.set()
    await settle()
    assert world.placed == [f"web1@{ONE}"]
    assert world.life.placement().state == PlacementState.RUNNING


async def test_the_first_instance_serves_while_the_others_start(world: World) -> None:
    with_settings(world, count=3)
    await asleep(world)
    before = len(world.told)
    world.sleeper.wanted()
    await world.clock.advance(1.0)
    sizes = [len(one.instances) for one in world.told[before:]]
    assert sizes[:2] == [0, 1]
    assert sizes[-1] == 3


async def test_a_wake_that_fails_has_a_cause_and_a_pause(world: World) -> None:
    # spec: A6
    await asleep(world)
    world.machine.broken[ONE] = "wsgi.py raised ImportError."
    launched = len(world.machine.launched)
    world.sleeper.wanted()
    await settle()
    placement = world.life.placement()
    assert (placement.state, placement.cause) == (PlacementState.FAILED, "wsgi.py raised ImportError.")
    assert placement.retry_at > world.clock.now()
    world.sleeper.wanted()
    await settle()
    assert len(world.machine.launched) == launched + 1
    await world.clock.advance(1.5)
    world.machine.broken.clear()
    world.sleeper.wanted()
    await settle()
    assert world.placed == [f"web1@{ONE}"]


async def test_nothing_sleeps_without_a_door(world: World) -> None:
    with_settings(world, sleep=60.0)
    await world.deploy()
    await world.clock.advance(600.0)
    assert world.machine.names() == ["web1"]


async def test_what_waits_wakes_it_even_if_the_wish_was_lost(world: World) -> None:
    await asleep(world)
    world.door_sees(idle=100.0, waiting=1)
    await settle()
    assert world.placed == [f"web1@{ONE}"]


async def test_sleep_survives_a_restart_of_the_engine(world: World) -> None:
    # spec: A5
    await asleep(world)
    await world.kill()
    await world.restart()
    assert world.life.placement().state == PlacementState.ASLEEP
    assert world.machine.names() == []
    world.sleeper.wanted()
    await settle()
    assert world.placed == [f"web1@{ONE}"]


async def test_a_deploy_wakes_it(world: World) -> None:
    await asleep(world)
    deployment = await world.deploy()
    assert deployment.progress.result is not None
    assert deployment.progress.result["ok"]
    assert world.life.placement().state == PlacementState.RUNNING


async def test_a_stop_is_no_sleep(world: World) -> None:
    await world.deploy()
    world.life.retire_all("", world.life.record.wish.STOP)
    assert world.life.placement().state == PlacementState.STOPPED
    world.sleeper.wanted()
    await settle()
    assert world.placed == []
    await world.clock.advance(40.0)
    assert world.machine.names() == []
    await world.deploy(DeployKind.START)
    assert world.placed == [f"web1@{ONE}"]


HOUR = 3600.0


def has_run(world: World, *spans: tuple[float, float]) -> None:
    """In hours before now: the clock of these tests passes each second by itself, and a day has many."""
    now = world.clock.now()
    world.sleeper._running._spans = [(now - begin * HOUR, now - end * HOUR) for begin, end in spans]


async def test_an_environment_that_ran_for_too_long_within_a_day_sleeps_whether_it_is_used_or_not(world: World) -> None:
    # spec: A6
    with_settings(world, sleep=1800.0, daily_limit=18 * HOUR)
    world.figures.connected()
    await world.deploy()
    await world.clock.advance(1.0)
    has_run(world, (18.0, 0.0))
    world.door_sees(idle=0.0)
    assert world.placed == [f"web1@{ONE}"]
    await world.clock.advance(2.0)
    placement = world.life.placement()
    assert (placement.state, placement.instances) == (PlacementState.LIMITED, ())
    assert "more than 18 h of the last 24 hours" in placement.cause
    assert placement.retry_at - world.clock.now() == pytest.approx(6 * HOUR, abs=300)
    assert world.told[-1] == placement
    await world.clock.advance(40.0)
    assert world.machine.names() == [], "it drained"
    world.sleeper.wanted()
    await settle()
    assert world.placed == []
    has_run(world, (24.0, 6.1))  # what it ran more than a day ago no longer counts
    world.sleeper.wanted()
    await settle()
    assert world.placed == [f"web1@{ONE}"]
    await world.clock.advance(5.0)
    assert world.placed == [f"web1@{ONE}"], "it does not fall asleep at once"


async def test_an_engine_that_is_restarted_remembers_how_long_it_ran(world: World) -> None:
    # spec: A5
    with_settings(world, sleep=1800.0, daily_limit=HOUR)
    world.figures.connected()
    await world.deploy()
    await world.clock.advance(1800.0)
    await world.kill()
    world.clock.time += 1740.0
    await world.restart()
    world.figures.connected()
    await world.clock.advance(30.0)
    assert world.life.placement().state == PlacementState.RUNNING, "it ran on meanwhile"
    await world.clock.advance(60.0)
    assert world.life.placement().state == PlacementState.LIMITED
    await world.kill()
    await world.restart()
    world.sleeper.wanted()
    assert world.life.placement().state == PlacementState.LIMITED
