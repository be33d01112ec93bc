"""A worker's report of deployed environments: nothing that was served is lost when instances come and go."""

from __future__ import annotations

import os

from lb.telemetry.deployed_figures import DeployedFigures, EnvironmentTotals, InstanceTotals, environment_key
from lb.worker.deployed_report import DeployedReport
from tests.health.test_placing import NAME, World, placed


class Reported:
    """One worker's page."""

    def __init__(self, world: World) -> None:
        self._page = DeployedFigures(1, 16).page(0)
        self.report = DeployedReport(world.registry, self._page)

    def of_shop(self) -> EnvironmentTotals:
        self.report.write()
        process, totals = self._page.load()
        assert process == os.getpid()
        return totals[environment_key(*NAME)]


def test_what_an_instance_serves_is_reported() -> None:
    world = World(count=1)
    reported = Reported(world)
    world.say(4, *placed("a"))
    world.look()
    (instance,) = world.shop.instances
    instance.served, instance.seconds, instance.faults = 5, 1.25, 1
    instance.inflight, instance.tunnels = 3, 2
    seen = reported.of_shop()
    assert (seen.generation, seen.waiting, seen.counted) == (4, 0, 5)
    assert seen.instances == {"a": InstanceTotals(1, 2, 5, 1.25, 1)}


def test_an_old_instance_is_reported_while_it_serves_and_counted_afterwards() -> None:
    world = World(count=1)
    reported = Reported(world)
    world.say(1, *placed("a"))
    world.look()
    (old,) = world.shop.instances
    old.served, old.inflight = 5, 1
    assert reported.of_shop().counted == 5
    world.say(2, *placed("b"))
    world.look()
    assert set(reported.of_shop().instances) == {"a", "b"}
    old.inflight, old.served = 0, 6
    seen = reported.of_shop()
    assert set(seen.instances) == {"b"}
    assert seen.counted == 6


def test_requests_that_do_not_keep_it_awake_do_not_count() -> None:
    world = World(count=1)
    reported = Reported(world)
    world.say(1, *placed("a"))
    world.look()
    (instance,) = world.shop.instances
    instance.served = 5
    deployment = world.shop.deployment
    assert deployment is not None
    deployment.quiet_requests = 2
    assert reported.of_shop().counted == 3
