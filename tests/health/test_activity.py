"""Sums over what workers report: those that have ended are not forgotten, and nothing is counted twice."""

from __future__ import annotations

from lb.health.activity import ActivityTotals
from lb.process.scoreboard import Board
from lb.telemetry.deployed_figures import DeployedFigures, EnvironmentTotals, InstanceTotals, environment_key

NAME = ("shop", "production")
KEY = environment_key(*NAME)


class World:
    """A service of two workers."""

    def __init__(self) -> None:
        self.board = Board(2)
        self.figures = DeployedFigures(4, 16)
        self.totals = ActivityTotals(self.board, self.figures, 0.0)
        self.now = 0.0

    def worker(
        self, slot: int, pid: int, generation: int, counted: int = 0, waiting: int = 0, **ids: InstanceTotals
    ) -> None:
        if self.board.workers()[slot].pid != pid:
            self.board.fill(slot, pid)
            self.board.set_ready(slot)
        self.figures.page(slot).store({KEY: EnvironmentTotals(generation, waiting, counted, 0.0, dict(ids))}, pid)

    def collect(self, *placed: str, seconds: float = 1.0) -> EnvironmentTotals:
        self.now += seconds
        return self.totals.collect({NAME: frozenset(placed)}, self.now)[NAME]


def test_workers_are_added_up_and_the_slowest_one_counts() -> None:
    world = World()
    world.worker(0, 10, 4, a=InstanceTotals(1, 0, 10, 1.0, 1), waiting=1)
    world.worker(1, 11, 3, a=InstanceTotals(0, 2, 5, 0.5, 0), b=InstanceTotals(1, 0, 1))
    seen = world.collect("a")
    assert (seen.generation, seen.waiting) == (3, 1)
    assert seen.instances == {"a": InstanceTotals(1, 2, 15, 1.5, 1), "b": InstanceTotals(1, 0, 1)}
    world.worker(1, 11, 4, a=InstanceTotals(0, 0, 5, 0.5, 0))
    seen = world.collect("a")
    assert seen.generation == 4
    assert set(seen.instances) == {"a"}, "what is retired is named while something of it is open"


def test_what_a_worker_counted_outlives_it() -> None:
    world = World()
    world.worker(0, 10, 1, a=InstanceTotals(1, 0, 10, 1.0))
    world.worker(1, 11, 1)
    world.collect("a")
    world.board.clear(0)
    assert world.collect("a").instances["a"] == InstanceTotals(0, 0, 10, 1.0)
    world.worker(0, 12, 1, a=InstanceTotals(0, 0, 2, 0.5))
    assert world.collect("a").instances["a"] == InstanceTotals(0, 0, 12, 1.5)
    assert world.collect("a").instances["a"] == InstanceTotals(0, 0, 12, 1.5)


def test_the_next_health_process_goes_on() -> None:
    world = World()
    world.worker(0, 10, 1, counted=10, a=InstanceTotals(0, 0, 10, 1.0))
    world.worker(1, 11, 1)
    world.collect("a")
    world.board.clear(0)
    world.collect("a", seconds=5.0)
    world.totals = ActivityTotals(world.board, world.figures, world.now)
    seen = world.collect("a", seconds=1.0)
    assert seen.instances["a"] == InstanceTotals(0, 0, 10, 1.0)
    assert seen.idle == 7.0
    assert world.collect("a").instances["a"].requests == 10


def test_idle_is_the_time_since_a_request_that_counts() -> None:
    world = World()
    world.worker(0, 10, 1, counted=1, a=InstanceTotals(0, 0, 1))
    world.worker(1, 11, 1)
    world.collect("a")
    assert world.collect("a", seconds=9.0).idle == 10.0
    world.worker(0, 10, 1, counted=1, a=InstanceTotals(0, 0, 2))  # of a quiet path
    assert world.collect("a").idle == 11.0
    world.worker(0, 10, 1, counted=2, a=InstanceTotals(0, 0, 3))
    assert world.collect("a").idle == 0.0
    world.worker(0, 10, 1, counted=2, a=InstanceTotals(0, 1, 3))
    assert world.collect("a", seconds=60.0).idle == 0.0, "a tunnel is open"
    world.worker(0, 10, 1, counted=2, waiting=1)
    assert world.collect("a", seconds=60.0).idle == 0.0, "a request waits"


def test_a_worker_that_has_not_told_follows_nothing() -> None:
    world = World()
    world.worker(0, 10, 5)
    world.board.fill(1, 11)
    world.board.set_ready(1)
    assert world.collect().generation == 0
