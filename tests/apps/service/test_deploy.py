"""A deploy as a dialogue: what it writes, what serves meanwhile, and how it ends."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from lb.apps.run.exit import Exit
from lb.apps.service import reconciler
from lb.apps.service.deploy import Deployment
from lb.apps.service.deploy_state import DeployKind, DeployState
from lb.apps.service.parts import NotBuiltError
from lb.apps.service.placement_record import DesiredState, read_placement
from lb.apps.service.placements import PlacementState
from tests.apps.service.fakes import World, settle, with_settings

ONE, TWO, THREE = "20261130-090100", "20261130-090200", "20261130-090300"


async def test_the_first_deploy_serves(world: World) -> None:
    # spec: A2
    assert world.life.placement().state == PlacementState.NEVER
    deployment = await world.deploy()
    assert world.placed == [f"web1@{ONE}"]
    assert world.life.placement().state == PlacementState.RUNNING
    assert deployment.progress.result is not None
    assert deployment.progress.result["ok"]
    assert deployment.progress.result["sentence"] == f"{ONE} is deployed to production"
    assert world.record_of(deployment).state == DeployState.DONE
    assert world.home.environment("production").current.resolve() == world.home.releases / ONE


async def test_the_switch_is_one_step_and_the_old_ones_drain(world: World) -> None:
    # spec: A2, A5
    with_settings(world, count=2)
    await world.deploy()
    before = len(world.told)
    deployment = await world.deploy()
    assert [[one.release for one in said.instances] for said in world.told[before:]] == [[TWO, TWO]]
    assert world.machine.names(ONE) == ["web1", "web2"]
    assert world.record_of(deployment).state == DeployState.DRAINING
    await world.clock.advance(29.0)
    assert world.machine.names(ONE) == ["web1", "web2"]
    await world.clock.advance(2.0)
    assert world.machine.names(ONE) == []
    assert world.record_of(deployment).state == DeployState.DONE
    assert world.placed == [f"web1@{TWO}", f"web2@{TWO}"]


async def test_instances_start_one_by_one(world: World) -> None:
    # spec: A2
    with_settings(world, count=3)
    world.machine.held = asyncio.Event()
    await world.deploy()
    assert world.machine.names() == ["web1"]
    world.machine.held.set()
    await settle()
    assert world.machine.names() == ["web1", "web2", "web3"]


async def test_old_instances_stay_while_they_are_busy_and_no_longer_than_drain(world: World) -> None:
    # spec: A2
    with_settings(world, drain=120.0)
    await world.deploy()
    old = world.instance()
    world.figures.connected()
    await world.deploy()
    world.door_sees(0.0, 0, **{f"i{old.id}": 1})
    world.door_follows()
    await world.clock.advance(60.0)
    assert not old.was_told
    world.door_sees(0.0)
    await world.clock.advance(2.0)
    assert old.was_told
    assert old.graces == [10.0]


async def test_old_instances_stay_until_the_doors_workers_follow(world: World) -> None:
    # spec: A2
    with_settings(world, drain=300.0)
    await world.deploy()
    world.figures.connected()
    await world.deploy()
    world.door_sees(0.0)
    await world.clock.advance(60.0)
    assert world.machine.names(ONE) == ["web1"], "some worker may still send requests to it"
    world.door_follows()
    await world.clock.advance(2.0)
    assert world.machine.names(ONE) == []


async def test_the_end_of_drain_ends_what_is_busy(world: World) -> None:
    with_settings(world, drain=40.0)
    await world.deploy()
    old = world.instance()
    world.figures.connected()
    await world.deploy()
    world.door_sees(0.0, 0, **{f"i{old.id}": 1})
    await world.clock.advance(39.0)
    assert not old.was_told
    await world.clock.advance(2.0)
    assert old.was_told


async def test_a_failed_build_changes_nothing(world: World) -> None:
    # spec: A5
    await world.deploy()
    world.releases.problem = NotBuiltError("pip could not install flask.", "Look at the log.", ("no such wheel",))
    deployment = await world.deploy()
    assert deployment.progress.result is not None
    assert deployment.progress.result["code"] == 1
    assert deployment.progress.result["lines"] == ["no such wheel"]
    assert world.placed == [f"web1@{ONE}"]
    assert not (world.home.releases / TWO).exists()
    assert world.record_of(deployment).state == DeployState.FAILED


async def test_a_fault_of_the_project_is_a_bad_file(world: World) -> None:
    world.releases.problem = NotBuiltError("There is no wsgi.py.", is_project=True)
    deployment = await world.deploy()
    assert deployment.progress.result is not None
    assert deployment.progress.result["code"] == 78


async def test_a_start_that_fails_changes_nothing(world: World) -> None:
    # spec: A5
    await world.deploy()
    world.machine.broken[TWO] = "wsgi.py raised ImportError."
    deployment = await world.deploy()
    assert deployment.progress.result is not None
    assert deployment.progress.result["sentence"] == "wsgi.py raised ImportError."
    assert world.placed == [f"web1@{ONE}"]
    assert world.machine.names() == ["web1"]
    assert (world.home.releases / TWO).exists(), "a release that was built can be started later"


async def test_one_of_several_that_fails_is_started_again_later(world: World) -> None:
    with_settings(world, count=2)
    world.machine.broken_names["web2"] = 3
    deployment = await world.deploy()
    assert deployment.progress.result is not None
    assert deployment.progress.result["ok"]
    assert world.placed == [f"web1@{ONE}"]
    await world.clock.advance(5.0)
    assert world.placed == [f"web1@{ONE}", f"web2@{ONE}"]


async def test_the_release_command_runs_once_before_the_start(world: World) -> None:
    with_settings(world, count=3)
    world.releases.command = "python manage.py migrate"
    await world.deploy()
    assert world.releases.commands == [("production", ONE, "python manage.py migrate")]


async def test_a_release_command_that_fails_changes_nothing(world: World) -> None:
    await world.deploy()
    world.releases.command = "python manage.py migrate"
    world.releases.command_fails = True
    deployment = await world.deploy()
    assert deployment.progress.result is not None
    assert deployment.progress.result["lines"] == ["no such table"]
    assert world.machine.names() == ["web1"]
    assert world.placed == [f"web1@{ONE}"]


async def test_a_roll_back_starts_the_old_bytes_without_the_release_command(world: World) -> None:
    # spec: A6
    await world.deploy()
    await world.deploy()
    await world.clock.advance(40.0)
    world.releases.command = "python manage.py migrate"
    await world.deploy(DeployKind.ROLLBACK, ONE)
    assert world.placed == [f"web1@{ONE}"]
    assert world.releases.commands == []


async def test_workers_belong_to_a_release_and_are_no_rows(world: World) -> None:
    world.releases.workers = {"mailer": "python mailer.py"}
    await world.deploy()
    assert world.machine.names() == ["mailer", "web1"]
    assert world.placed == [f"web1@{ONE}"]
    await world.deploy()
    await world.clock.advance(2.0)
    assert world.machine.names(ONE) == ["web1"], "a worker serves no request that it would have to drain"


async def test_a_third_version_waits_until_the_first_has_drained(world: World) -> None:
    await world.deploy()
    await world.deploy()
    third = await world.deploy()
    assert world.machine.names() == ["web1", "web1"]
    assert third.record.state == DeployState.BUILDING
    assert f"Waiting for the version before ({ONE})" in said(third)
    await world.clock.advance(40.0)
    assert world.placed == [f"web1@{THREE}"]


@pytest.mark.parametrize("kind", [DeployKind.START, DeployKind.DEPLOY])
async def test_after_a_stop_nothing_waits_for_what_drains(world: World, kind: DeployKind) -> None:
    await world.deploy()
    world.life.retire_all("", DesiredState.STOP)
    assert world.placed == []
    again = await world.deploy(kind, "" if kind is DeployKind.DEPLOY else ONE)
    assert world.placed == [f"web1@{again.record.tag}"], "before any time has passed"
    assert world.machine.names() == ["web1", "web1"], "the old one drains beside it"
    await world.clock.advance(40.0)
    assert world.machine.names() == ["web1"]
    assert world.placed == [f"web1@{again.record.tag}"]


@pytest.mark.parametrize("cause", ["build", "start"])
async def test_a_deploy_that_fails_says_what_serves(world: World, cause: str) -> None:
    await world.deploy()
    if cause == "build":
        world.releases.problem = NotBuiltError("no.", "Look at the log.")
    else:
        world.machine.broken[TWO] = "wsgi.py raised ImportError."
    failed = await world.deploy()
    assert failed.progress.result is not None
    assert not failed.progress.result["ok"]
    assert failed.progress.result["next_step"].endswith(f"{ONE} goes on serving.")


def said(deployment: Deployment) -> str:
    return " / ".join(str(event.get("text", "")) for event in deployment.progress._events)


async def test_of_those_that_wait_the_newest_wins_and_builds_never_overlap(world: World) -> None:
    world.releases.hold = asyncio.Event()
    deployments = [await world.deploy() for _ in range(10)]
    world.releases.hold.set()
    await world.clock.advance(100.0)
    assert world.releases.most_at_once == 1
    ends = [world.record_of(deployment).state for deployment in deployments]
    assert ends == [DeployState.DONE, *[DeployState.FAILED] * 8, DeployState.DONE]
    assert deployments[1].progress.result is not None
    assert "a newer deploy" in deployments[1].progress.result["sentence"]
    assert world.placed == [f"web1@{TWO}"]


@pytest.mark.parametrize("when", ["queued", "building", "starting"])
async def test_cancel_changes_nothing(world: World, when: str) -> None:
    await world.deploy()
    if when in ("queued", "building"):
        world.releases.hold = asyncio.Event()
    else:
        world.machine.held = asyncio.Event()
    deployment = await world.deploy()
    if when == "queued":
        deployment = await world.deploy()
    assert deployment.record.state.value == when
    assert deployment.cancel()
    await settle()
    assert deployment.record.state == DeployState.CANCELLED
    assert world.placed == [f"web1@{ONE}"]
    assert world.machine.names() == ["web1"]


async def test_what_serves_cannot_be_cancelled(world: World) -> None:
    await world.deploy()
    deployment = await world.deploy()
    assert not deployment.cancel()
    assert world.placed == [f"web1@{TWO}"]


async def test_a_full_disk_at_the_switch_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.deploy()

    def full(path: Path, record: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(reconciler, "write_placement", full)
    deployment = await world.deploy()
    assert deployment.progress.result is not None
    assert "No space left on device" in deployment.progress.result["sentence"]
    assert world.placed == [f"web1@{ONE}"]
    assert world.machine.names() == ["web1"]


async def test_a_full_disk_does_not_keep_an_instance_from_starting_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: A1
    await world.deploy()

    def full(path: Path, record: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(reconciler, "write_placement", full)
    world.instance().exits(Exit(signal=9))
    await world.clock.advance(1.0)
    assert world.placed == [f"web1@{ONE}"]
    assert world.told[-1].instances == world.life.placement().instances
    written = read_placement(world.home.environment("production").placement)
    assert written != world.life.record
    monkeypatch.undo()
    await world.clock.advance(1.0)
    written = read_placement(world.home.environment("production").placement)
    assert written == world.life.record, "it is written as soon as there is room"


async def test_restart_and_scale_use_the_release_that_serves(world: World) -> None:
    await world.deploy()
    first = world.instance()
    await world.deploy(DeployKind.RESTART)
    assert world.placed == [f"web1@{ONE}"]
    assert world.instance() is not first
    await world.clock.advance(40.0)
    await world.deploy(DeployKind.SCALE, count=3)
    assert [one.partition("@")[0] for one in world.placed] == ["web1", "web2", "web3"]
    assert world.life.count == 3
    await world.clock.advance(40.0)
    await world.kill()
    await world.restart()
    assert world.life.count == 3


async def test_an_instance_that_ends_is_replaced_with_growing_pauses(world: World) -> None:
    # spec: A1
    await world.deploy()
    world.machine.broken_names["web1"] = 3
    world.instance().exits(Exit(status=3))
    await settle()
    assert world.placed == []
    assert world.life.placement().cause == "web1 exited with status 3."
    launches = len(world.machine.launched)
    await world.clock.advance(0.9)
    assert len(world.machine.launched) == launches
    await world.clock.advance(7.0)
    assert world.placed == [f"web1@{ONE}"]
    assert world.life.slots["web1"].restarts == 1


async def test_requests_wait_for_the_only_instance_while_it_starts_again_and_get_the_cause_when_it_does_not(
    world: World,
) -> None:
    # spec: A1
    await world.deploy()
    world.machine.held = asyncio.Event()
    world.machine.broken_names["web1"] = 1
    world.instance().exits(Exit(signal=9))
    await settle()
    assert (world.told[-1].state, world.told[-1].instances) == (PlacementState.WAKING, ())
    generation = world.told[-1].generation
    world.machine.held.set()
    await settle()
    told = world.told[-1]
    assert (told.state, told.cause) == (PlacementState.RUNNING, "web1 exited with status 3.")
    assert told.generation > generation, "the front door ignores what has the same number"
    await world.clock.advance(1.0)
    assert world.placed == [f"web1@{ONE}"]
    assert world.told[-1].state == PlacementState.RUNNING


async def test_after_a_reboot_requests_wait_until_the_first_instance_has_started(world: World) -> None:
    # spec: A5
    await world.deploy()
    await world.kill()
    world.machine.running.clear()
    world.clock.boot_name = "boot-2"
    world.machine.held = asyncio.Event()
    await world.restart()
    assert world.life.placement().state == PlacementState.WAKING
    assert world.told[-1] == world.life.placement()
    world.machine.held.set()
    await settle()
    assert world.placed == [f"web1@{ONE}"]
    assert world.told[-1].state == PlacementState.RUNNING


async def test_an_instance_that_fails_the_doors_checks_is_replaced_beside(world: World) -> None:
    # spec: A1
    await world.deploy()
    old = world.instance()
    world.replacer.judge(old.id, "503 Service Unavailable")
    await world.clock.advance(9.0)
    assert world.instance() is old
    await world.clock.advance(3.0)
    assert world.instance() is not old
    assert not old.terms, "it drains"
    assert len(world.placed) == 1


async def test_replacements_are_a_minute_apart(world: World) -> None:
    with_settings(world, count=2)
    await world.deploy()
    for name in ("web1", "web2"):
        world.replacer.judge(world.instance(name).id, "timeout")
    await world.clock.advance(15.0)
    fresh = [name for name in ("web1", "web2") if world.life.slots[name].restarts]
    assert len(fresh) == 1
    await world.clock.advance(60.0)
    assert all(world.life.slots[name].restarts for name in ("web1", "web2"))
