"""What the engine says instances use, on its way to the page."""

from __future__ import annotations

import pytest

from lb.health.usage_reports import UsageReports
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.deployed_usage import InstanceUsage


def event(environment: str, **instances: object) -> dict[str, object]:
    return {"event": "usage", "app": "shop", "environment": environment, "instances": instances}


def test_each_environment_is_as_it_was_reported_last() -> None:
    page = DeployedFigures(1, 8).usage
    reports = UsageReports(page)
    reports.heard(event("production", a={"memory": 1, "cpu": 0.5}, b={"memory": 2, "cpu": 0}))
    reports.heard(event("staging", c={"memory": 3, "cpu": 0, "restarts": 1, "last_cause": "exit status 3", "new": 1}))
    reports.heard(event("production", b={"memory": 4, "cpu": 1.0, "files": 5, "processes": 6}))
    assert page.load() == {
        "b": InstanceUsage(4, 1.0, 5, 6),
        "c": InstanceUsage(3, 0.0, -1, 0, 1, "exit status 3"),
    }


def test_while_the_engine_is_away_nothing_is_known() -> None:
    page = DeployedFigures(1, 8).usage
    page.store({"old": InstanceUsage(1)})
    reports = UsageReports(page)
    assert page.load() == {}
    reports.heard(event("production", a={"memory": 1, "cpu": 0.5}))
    reports.forget()
    assert page.load() == {}


def test_what_is_no_such_event_is_refused() -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        UsageReports(DeployedFigures(1, 8).usage).heard(event("production", a={"memory": "much", "cpu": 0}))
