"""What the engine tells, in rows of the health table: all of a placement at once, and nothing twice."""

from __future__ import annotations

import logging
import time
from typing import Any

from lb.apps.service.placements import PlacedInstance, Placement, PlacementState, RowState
from lb.config.model import EnvironmentSettings
from lb.config.plan import EnvironmentPlan, configured_instances
from lb.health.placing import Placing
from lb.routing.environment import Environment
from lb.routing.health_rows import give_rows
from lb.routing.health_table import HEALTHY, UNHEALTHY, Condition, HealthTable
from lb.routing.registry import Registry
from lb.telemetry.paced_lines import PacedLines

NAME = ("shop", "production")


def placed(*ids: str, state: RowState = RowState.HEALTHY, release: str = "r1") -> tuple[PlacedInstance, ...]:
    return tuple(
        PlacedInstance(one, f"web{number}", f"unix:/run/{one}.sock", release, state)
        for number, one in enumerate(ids, 1)
    )


class World:
    """A table, its writer and the registry of one worker."""

    def __init__(self, **keys: Any) -> None:
        self.section = EnvironmentSettings(deploy=True, **keys)
        self.table = HealthTable(256)
        self.registry = Registry(self.table)
        self.wanted: list[tuple[str, str]] = []
        self.registry.on_wake_asked(lambda *name: self.wanted.append(name))
        (self.one,) = configured_instances(*NAME, self.section)
        give_rows(self.table, [self.one], 1.0)
        self.placing = Placing(self.table, PacedLines(logging.getLogger("lb.test")))
        self.placing.configure([self.one])
        plan = self.registry.plan()
        self.shop: Environment = plan.environment(EnvironmentPlan(*NAME, self.section, (self.one,)), 0)
        plan.commit()

    def say(self, generation: int, *instances: PlacedInstance, state: str = "running", **more: Any) -> bool:
        return self.placing.heard(Placement(*NAME, generation, PlacementState(state), "r1", instances, **more))

    def look(self) -> list[str]:
        """Who has gone."""
        return [one.identity for change in self.registry.watch.look(time.monotonic()) for one in change.gone]

    @property
    def serving(self) -> list[str]:
        return sorted(one.identity for one in self.shop.instances if one.healthy)

    def refusal(self, target: bytes = b"/", now: float = 0.0) -> str:
        assert self.shop.deployment is not None
        error = self.shop.deployment.refusal(target, now)
        return "" if error is None else error.cause.code


def test_a_placement_becomes_rows_and_they_become_instances() -> None:
    # spec: A2
    world = World(count=2)
    assert world.refusal() == "", "nothing is known yet: requests wait"
    assert world.say(1, *placed("a", "b"))
    assert world.look() == []
    assert world.serving == ["a", "b"]
    assert {one.key for one in world.shop.instances} == {"web1 (r1)", "web2 (r1)"}
    assert {one.address for one in world.shop.instances} == {"/run/a.sock", "/run/b.sock"}


def test_all_rows_of_a_switch_are_seen_at_once() -> None:
    # spec: A2
    world = World(count=2)
    world.say(1, *placed("a", "b"))
    world.look()
    generation = world.table.generation
    world.say(2, *placed("c", "d"))
    assert world.table.generation > generation
    changes = world.table.changes(generation)
    assert changes is not None
    assert len(list(changes)) == 5, "two rows that come, two that go, and the environment's own"
    assert sorted(world.look()) == ["a", "b"]
    assert world.serving == ["c", "d"]


def test_what_is_said_again_changes_nothing() -> None:
    world = World()
    world.say(1, *placed("a"))
    world.look()
    generation = world.table.generation
    assert not world.say(1, *placed("b")), "an old generation"
    world.placing.connected()
    assert not world.say(1, *placed("a"))
    assert not world.placing.synchronised()
    assert world.table.generation == generation
    assert world.look() == []


def test_what_the_checks_found_stays() -> None:
    world = World(count=2)
    world.say(1, *placed("a", "b"))
    row, _, _ = next(one for one in world.placing.rows(NAME) if one[2].id == "a")
    ill = world.table.read(row)
    assert ill is not None
    world.table.write(row, Condition(UNHEALTHY, ill.host, error="no answer"))
    world.look()
    assert world.serving == ["b"]
    world.say(2, *placed("a", "b", "c"))
    world.look()
    assert world.serving == ["b", "c"]
    again = world.table.read(row)
    assert again is not None
    assert again.error == "no answer"


def test_silence_about_an_environment_means_that_nothing_was_deployed() -> None:
    world = World()
    assert world.placing.synchronised()
    world.look()
    assert world.refusal() == "app_not_deployed"
    world.say(3, state="stopped")
    world.look()
    assert world.refusal() == "app_stopped"
    world.say(4, state="gone")
    world.look()
    assert world.refusal() == "app_not_deployed"
    world.say(5)
    world.look()
    assert world.refusal() == "destination_unavailable", "all of it crashes"


def test_without_an_engine_what_is_known_stays() -> None:
    world = World()
    assert world.placing.unanswered()
    world.look()
    assert world.refusal() == "engine_unavailable"
    world.say(1, *placed("a"))
    assert not world.placing.unanswered()
    world.look()
    assert world.serving == ["a"]


def test_it_sleeps_and_is_wanted_once() -> None:
    # spec: L5
    world = World(sleep=60.0, no_wake=("/robots.txt",))
    world.say(1, *placed("a"))
    world.look()
    world.say(2, *placed("a", state=RowState.ASLEEP), state="asleep")
    assert world.look() == ["a"]
    assert world.refusal(b"/robots.txt?x") == "app_asleep"
    assert world.wanted == []
    assert world.refusal() == world.refusal() == ""
    assert world.wanted == [NAME]
    world.say(3, *placed("a"))
    world.look()
    assert world.serving == ["a"]


def test_a_wake_that_failed_may_be_tried_again_later() -> None:
    world = World()
    world.say(1, state="failed", cause="exit status 3", retry_at=100.0)
    world.look()
    assert world.refusal(now=99.0) == "app_start_failed"
    assert world.wanted == []
    assert world.refusal(now=100.0) == ""
    assert world.wanted == [NAME]


def test_more_instances_than_there_are_places() -> None:
    world = World()
    world.say(1, *placed(*(f"i{number}" for number in range(40))))
    world.look()
    assert len(world.serving) == 16
    world.say(2, *placed("x"))
    world.look()
    assert world.serving == ["x"]


def test_an_instance_without_checks_serves() -> None:
    world = World(health_checks=False)
    world.say(1, *placed("a"))
    world.look()
    assert world.serving == ["a"]
    assert all(condition.state != HEALTHY for _, condition, _ in world.placing.rows(NAME))
