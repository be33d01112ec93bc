"""The state of the whole service as plain data."""

from __future__ import annotations

import json
import time
from array import array

import pytest

from lb.admin.views import describe, state
from lb.config.load import load_bytes
from lb.config.plan import Plan
from lb.process.scoreboard import Board
from lb.routing.health_table import HealthTable
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.instance_gauges import NUMBERS, InstanceGauges, digest


@pytest.fixture
def plan() -> Plan:
    production = {"instances": ["127.0.0.1:1", "127.0.0.1:2"]}
    apps = {"shop": {"domains": ["a.example", "b.example"], "production": production}}
    return load_bytes("test", json.dumps({"listen": {"http": "127.0.0.1:0"}, "apps": apps}).encode(), {}).plan


def test_a_service_starts_is_ready_and_drains() -> None:
    # spec: R1
    board = Board(2)
    assert state(board) == "starting"
    for slot in range(2):
        board.fill(slot, 100 + slot)
        board.set_ready(slot)
    assert state(board) == "ready"
    board.drain()
    assert state(board) == "draining"


def test_what_lb_status_tells(plan: Plan) -> None:
    board, loads = Board(1), InstanceGauges(1, 8)
    board.fill(0, 4711)
    names = [("shop", "production", f"127.0.0.1:{number}") for number in (1, 2)]
    failed_at = int(time.monotonic()) - 5
    figures = [1, 1, 3, 0, 0, 0, 1, 0, 0, 1, NUMBERS["connection_refused"], failed_at]
    loads.page(0).store(digest(names), array("i", figures))
    found = describe({"version": "1"}, board, ["http://x"], plan, HealthTable(16), loads, figures=DeployedFigures(1, 8))
    assert (found["version"], found["state"], found["listeners"]) == ("1", "starting", ["http://x"])
    assert found["workers"][0]["pid"] == 4711
    app = found["apps"]["shop"]
    assert app["domains"] == ["a.example", "b.example"]
    assert app["staging"] is None
    traffic = app["production"]["traffic"]
    assert traffic["127.0.0.1:1"] == {"up": 1.0, "in_flight": 3, "failing": 0.0, "cause": None, "failed": None}
    assert traffic["127.0.0.1:2"]["cause"] == "connection_refused"
    assert abs(traffic["127.0.0.1:2"]["failed"] - (time.time() - 5)) < 3
    assert "health" not in app["production"]  # nobody is checked


def test_before_a_worker_has_told_anything_there_is_no_traffic(plan: Plan) -> None:
    found = describe({}, Board(1), [], plan, HealthTable(16), InstanceGauges(1, 8), figures=DeployedFigures(1, 8))
    production = found["apps"]["shop"]["production"]
    assert production["instances"] == ["127.0.0.1:1", "127.0.0.1:2"]
    assert all(not one["in_flight"] for one in production.get("traffic", {}).values())
