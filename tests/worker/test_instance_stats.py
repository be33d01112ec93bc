"""A worker's report of its instances, as it stands in shared memory."""

from __future__ import annotations

from array import array

import pytest

from lb.config.load import config_for_instances
from lb.config.plan import make_plan
from lb.process.child_config import compile_for_worker
from lb.routing.instance import Instance
from lb.routing.registry import Registry
from lb.telemetry.instance_gauges import FIGURES, NUMBERS, InstanceGauges
from lb.worker.instance_stats import InstanceStats

NAMES = [("app", "production", f"127.0.0.1:{number}") for number in (1, 2)]


@pytest.fixture
def registry() -> Registry:
    made = Registry()
    config = config_for_instances([text for _, _, text in NAMES], ["a.example"], "127.0.0.1:0")
    compile_for_worker(make_plan(config), made, None, 1)[1].commit()
    return made


def instances(registry: Registry) -> list[Instance]:
    (environment,) = registry.environments.values()
    return environment.instances


def test_what_metrics_tell_of_an_instance(registry: Registry) -> None:
    # spec: E3
    loads = InstanceGauges(2, 16)
    InstanceStats(registry, loads.page(0)).write(1000.0)
    assert [(load.pairs, load.up, load.in_flight) for load in loads.total(NAMES, [0])] == [(1, 1, 0), (1, 1, 0)]
    first, second = instances(registry)
    first.inflight = 3
    second.failing, second.cause, second.failed_at = True, "connection_refused", 990.7
    second.down_until = 2000.0
    InstanceStats(registry, loads.page(0)).write(1000.0)
    one, other = loads.total(NAMES, [0])
    assert (one.up, one.in_flight, one.failing) == (1, 3, 0)
    assert (other.up, other.failing, other.cause, other.failed_at) == (0, 1, "connection_refused", 990)


def test_what_is_about_another_configuration_is_not_read(registry: Registry) -> None:
    loads = InstanceGauges(1, 16)
    InstanceStats(registry, loads.page(0)).write(1000.0)
    others = [("app", "production", "127.0.0.1:9")]
    assert [load.pairs for load in loads.total(others, [0])] in ([], [0])


def test_a_change_of_the_configuration_is_followed(registry: Registry) -> None:
    loads = InstanceGauges(1, 16)
    report = InstanceStats(registry, loads.page(0))
    report.write(1000.0)
    config = config_for_instances(["127.0.0.1:9"], ["a.example"], "127.0.0.1:0")
    compile_for_worker(make_plan(config), registry, None, 1)[1].commit()
    report.write(1001.0)
    assert [load.pairs for load in loads.total([("app", "production", "127.0.0.1:9")], [0])] == [1]


def test_every_cause_has_a_number_that_fits() -> None:
    assert array("i", NUMBERS.values()).itemsize == 4
    assert FIGURES == 6
