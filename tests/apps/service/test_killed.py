"""The engine is killed at every write of deploy.json; what the next one makes of it is the table in recovery.py."""

from __future__ import annotations

import pytest

from lb.apps.service import deploy_state
from lb.apps.service.deploy_state import DeployBook, DeployState
from lb.apps.service.directory import StateFileError
from lb.apps.service.placement_record import read_placement
from tests.apps.service.fakes import FakeInstance, World, settle

ONE, TWO = "20261130-090100", "20261130-090200"
UNCHANGED = (
    DeployState.QUEUED,
    DeployState.RECEIVING,
    DeployState.BUILDING,
    DeployState.RELEASING,
    DeployState.STARTING,
)


class Killed(BaseException):
    """The engine is no more."""


async def killed_at(world: World, state: DeployState, monkeypatch: pytest.MonkeyPatch) -> str:
    """A version serves, another one is deployed, and the engine is killed right after it has written `state`."""
    await world.deploy()
    world.releases.command = "python manage.py migrate"

    def die(written: DeployState) -> None:
        if written == state:
            world.machine.dead = True
            raise Killed

    monkeypatch.setattr(deploy_state, "die_at", die)
    deployment = world.begin()
    await settle()
    if state in (DeployState.DRAINING, DeployState.STOPPING, DeployState.DONE):
        await world.clock.advance(60.0)
    monkeypatch.undo()
    for task in world._tasks:
        if task.done() and not task.cancelled():
            task.exception()
    await world.kill()
    return deployment.record.id


@pytest.mark.parametrize("state", UNCHANGED)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_before_the_switch_nothing_has_changed(
    world: World, state: DeployState, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: A5
    serving = None
    identifier = await killed_at(world, state, monkeypatch)
    serving = next(one for one in world.machine.running.values() if one.facts.tag == ONE)
    await world.restart()
    assert world.placed == [f"web1@{ONE}"]
    assert world.instance() is serving
    assert not serving.terms
    assert world.machine.names() == ["web1"], "what the deploy had started is ended"
    record = world.book.find(identifier)
    assert record is not None
    assert record.state == DeployState.FAILED
    assert "restarted" in record.note
    if state == DeployState.RELEASING:
        assert "release command was interrupted" in record.note
    if state in (DeployState.RECEIVING, DeployState.BUILDING):
        assert not (world.home.releases / TWO).exists()
    await world.clock.advance(100.0)
    assert world.releases.commands.count(("production", TWO, "python manage.py migrate")) <= 1
    again = await world.deploy()
    assert again.progress.result is not None
    assert again.progress.result["ok"], "the lock went with its holder"


async def test_at_the_switch_it_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: A5
    identifier = await killed_at(world, DeployState.SWITCHING, monkeypatch)
    new = next(one for one in world.machine.running.values() if one.facts.tag == TWO)
    await world.restart()
    assert world.placed == [f"web1@{TWO}"]
    assert world.instance() is new
    await world.clock.advance(45.0)
    assert world.machine.names(ONE) == []
    assert world.book.find(identifier).state == DeployState.DONE  # type: ignore[union-attr]


async def test_at_the_switch_with_the_new_ones_gone_nothing_has_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: A5
    identifier = await killed_at(world, DeployState.SWITCHING, monkeypatch)
    for one in list(world.machine.running.values()):
        if one.facts.tag == TWO:
            one.forget()
    await world.restart()
    assert world.placed == [f"web1@{ONE}"]
    assert world.book.find(identifier).state == DeployState.FAILED  # type: ignore[union-attr]


@pytest.mark.parametrize("state", [DeployState.DRAINING, DeployState.STOPPING])
async def test_after_the_switch_draining_goes_on(
    world: World, state: DeployState, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: A5
    identifier = await killed_at(world, state, monkeypatch)
    since = world.clock.boot()
    retiring = read_placement(world.home.environment("production").placement).retiring
    assert len(retiring) == 1
    await world.restart()
    assert world.placed == [f"web1@{TWO}"]
    await world.clock.advance(max(0.0, 31.0 - (since - retiring[0].since)) + 1.0)
    assert world.machine.names(ONE) == []
    assert world.book.find(identifier).state == DeployState.DONE  # type: ignore[union-attr]


async def test_drain_continues_by_the_clock_of_the_boot(world: World) -> None:
    await world.deploy()
    old = world.instance()
    await world.deploy()
    await world.clock.advance(20.0)
    await world.kill()
    world.clock.epoch += 86_400.0  # somebody sets the calendar
    await world.restart()
    await world.clock.advance(9.0)
    assert not old.was_told
    await world.clock.advance(3.0)
    assert old.was_told


async def test_after_a_reboot_only_current_starts(world: World) -> None:
    # spec: A5
    await world.deploy()
    await world.deploy()
    await world.kill()
    world.machine.running.clear()
    world.clock.boot_name, world.clock.time = "boot-2", 5.0
    await world.restart()
    assert world.placed == [f"web1@{TWO}"]
    assert world.machine.names() == ["web1"]
    assert world.life.retiring == ()


async def test_an_instance_that_died_meanwhile_is_started_again(world: World) -> None:
    await world.deploy()
    await world.kill()
    world.machine.running.clear()
    await world.restart()
    assert world.placed == [f"web1@{ONE}"]


async def test_what_no_placement_names_is_ended(world: World) -> None:
    # spec: A5
    await world.deploy()
    stranger = await world.machine.launch(world.machine.launched[0])
    await world.kill()
    await world.restart()
    assert stranger.terms == 1
    assert world.machine.names() == ["web1"]


async def test_generations_rise_over_a_restart(world: World) -> None:
    await world.deploy()
    before = world.life.placement().generation
    await world.kill()
    await world.restart()
    assert world.life.placement().generation >= before
    await world.deploy()
    assert world.life.placement().generation > before


async def test_a_state_file_that_cannot_be_read_is_never_guessed_at(world: World) -> None:
    # spec: A5
    await world.deploy()
    running = list(world.machine.running.values())
    await world.kill()
    place = world.home.environment("production")
    place.placement.write_text("{", encoding="utf-8")
    with pytest.raises(StateFileError, match="cannot be read"):
        await world.restart()
    assert all(not one.terms for one in running if isinstance(one, FakeInstance))
    place.deploys.write_text('{"deploys": [{"id": 3}]}', encoding="utf-8")
    with pytest.raises(StateFileError):
        DeployBook(place.deploys)
    world.machine.dead = False
