"""Deployed environments as plain data: what the engine says, and what workers have seen."""

from __future__ import annotations

import os

from lb.health.deployed_view import deployed_report
from lb.telemetry.deployed_figures import DeployedFigures, EnvironmentTotals, InstanceTotals, environment_key
from lb.telemetry.deployed_usage import InstanceUsage
from tests.health.test_placing import NAME, World, placed


def test_nothing_is_known_before_the_engine_is_heard() -> None:
    world = World(count=1)
    report = deployed_report([world.one], world.table, DeployedFigures(1, 8))
    assert report == {
        NAME: {
            "state": "unknown",
            "release": None,
            "cause": None,
            "generation": 0,
            "followed": 0,
            "waiting": 0,
            "idle": 0,
            "instances": [],
        }
    }


def test_instances_are_in_the_order_of_their_numbers_with_their_figures() -> None:
    world, figures = World(count=11), DeployedFigures(1, 32)
    world.say(3, *placed(*"abcdefghijk"))
    seen = EnvironmentTotals(3, 2, 9, 4.5, {"b": InstanceTotals(1, 2, 30, 0.5, 4)})
    figures.summary.store({environment_key(*NAME): seen}, os.getpid())
    report = deployed_report([world.one], world.table, figures)[NAME]
    assert (report["state"], report["release"], report["generation"]) == ("running", "r1", 3)
    assert (report["followed"], report["waiting"], report["idle"]) == (3, 2, 4)
    assert [one["name"] for one in report["instances"]] == [f"web{number}" for number in range(1, 12)]
    second = report["instances"][1]
    assert (second["id"], second["endpoint"], second["state"]) == ("b", "unix:/run/b.sock", "healthy")
    figures_of_it = [second[name] for name in ("in_flight", "tunnels", "requests", "seconds", "failures")]
    assert figures_of_it == [1, 2, 30, 0.5, 4]
    assert second["usage"] is None


def test_what_the_engine_says_an_instance_uses_is_shown() -> None:
    # spec: O1
    world, figures = World(count=1), DeployedFigures(1, 32)
    world.say(3, *placed("a"))
    figures.usage.store({"a": InstanceUsage(1 << 20, 2.5, 4096, 3, 1, "exit status 3"), "z": InstanceUsage()})
    (one,) = deployed_report([world.one], world.table, figures)[NAME]["instances"]
    assert one["usage"] == {
        "memory": 1 << 20,
        "cpu": 2.5,
        "files": 4096,
        "processes": 3,
        "restarts": 1,
        "last_cause": "exit status 3",
    }
