"""The admin server's answers, from counters and a board that the test sets."""

from __future__ import annotations

import time
from array import array
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_aiohttp.plugin import AiohttpClient

from lb.admin.server import PATHS, AdminAssignment, make_app
from lb.config.model import App, Config, Domain, EnvironmentSettings, InstanceAddress, ListenAddress
from lb.config.plan import make_plan
from lb.process.scoreboard import Board
from lb.routing.health_table import HealthTable
from lb.telemetry.counters import NAMES, Slab
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.instance_gauges import NUMBERS, InstanceGauges, digest
from lb.tls.files.certificate_cache import CertificateCache


@pytest.fixture
def assignment() -> AdminAssignment:
    instance = InstanceAddress(host="127.0.0.1", port=3000, path="", text="127.0.0.1:3000")
    app = App(domains=(Domain(name="shop.example.com"),), production=EnvironmentSettings(instances=(instance,)))
    return AdminAssignment(
        make_plan(Config(apps={"shop": app})),
        (),
        (),
        Slab(2),
        InstanceGauges(2, 8),
        DeployedFigures(2, 8),
        Board(2),
        HealthTable(64),
        {"version": "1.2.3", "engine": "compiled"},
        CertificateCache(),
    )


def serve_all(board: Board) -> None:
    for slot in range(board.serving):
        board.fill(slot, 100 + slot)
        board.set_ready(slot)


async def test_metrics_sum_the_workers(aiohttp_client: AiohttpClient, assignment: AdminAssignment) -> None:
    for slot in (0, 1):
        assignment.slab.row(slot).store([2 if name == "requests_total" else 0 for name in NAMES])
    client = await aiohttp_client(make_app(assignment))
    response = await client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(await response.text())
        for sample in family.samples
    }
    assert samples["lb_requests_total"] == 4


async def test_metrics_tell_how_the_instances_do(aiohttp_client: AiohttpClient, assignment: AdminAssignment) -> None:
    client = await aiohttp_client(make_app(assignment))
    serve_all(assignment.board)
    about = digest([("shop", "production", "127.0.0.1:3000")])
    assert "lb_instance_up" not in await (await client.get("/metrics")).text()
    assignment.loads.page(0).store(about, array("i", (1, 1, 3, 0, 0, 0)))
    assignment.loads.page(1).store(about, array("i", (1, 0, 2, 0, 0, 0)))
    labels = '{app="shop",environment="production",instance="127.0.0.1:3000"}'
    text = await (await client.get("/metrics")).text()
    assert f"lb_instance_up{labels} 0.5\n" in text
    assert f"lb_instance_requests_in_flight{labels} 5\n" in text
    assignment.board.clear(1)  # what it wrote last is not so any more
    text = await (await client.get("/metrics")).text()
    assert f"lb_instance_up{labels} 1\n" in text
    assert f"lb_instance_requests_in_flight{labels} 3\n" in text


@pytest.mark.parametrize("state", ["starting", "ready", "draining"])
async def test_readiness_follows_the_board(
    aiohttp_client: AiohttpClient, assignment: AdminAssignment, state: str
) -> None:
    if state != "starting":
        serve_all(assignment.board)
    if state == "draining":
        assignment.board.drain()
    client = await aiohttp_client(make_app(assignment))
    response = await client.get("/readyz")
    assert (response.status, await response.text()) == (200 if state == "ready" else 503, f"{state}\n")
    assert (await client.get("/healthz")).status == 200


async def test_status_names_workers_and_apps(aiohttp_client: AiohttpClient, assignment: AdminAssignment) -> None:
    serve_all(assignment.board)
    assignment.board.fill(1, 200)
    client = await aiohttp_client(make_app(assignment))
    status: dict[str, Any] = await (await client.get("/status")).json()
    assert status["version"] == "1.2.3"
    assert status["state"] == "starting"
    assert [(worker["pid"], worker["restarts"], worker["ready"]) for worker in status["workers"]] == [
        (100, 0, True),
        (200, 1, False),
    ]
    assert status["apps"] == {
        "shop": {
            "domains": ["shop.example.com"],
            "production": {"balance": "round_robin", "instances": ["127.0.0.1:3000"]},
            "staging": None,
        }
    }


@pytest.mark.parametrize(
    ("listening", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:9090", 200),
        ("127.0.0.1", "[::1]:9090", 200),
        ("127.0.0.1", "10.0.0.1", 200),
        ("127.0.0.1", "LocalHost:9090", 200),
        ("127.0.0.1", "lb.localhost.", 200),
        ("127.0.0.1", "evil.example", 421),
        ("127.0.0.1", "127.0.0.1.evil.example:9090", 421),
        ("127.0.0.1", "localhost.evil.example", 421),
        ("127.0.0.1", "lb", 421),
        ("127.0.0.1", "[::1", 200),  # no browser sends that
        ("127.0.0.1", "[evil.example]", 421),
        ("127.0.0.1", "", 421),
        ("::1", "lb.internal", 421),
        ("", "lb:9090", 200),
        ("0.0.0.0", "lb.internal", 200),
        ("10.0.0.1", "lb.monitoring.svc.cluster.local", 200),
        ("10.0.0.1", "evil.example", 421),
    ],
)
async def test_which_hosts_are_answered(
    aiohttp_client: AiohttpClient, assignment: AdminAssignment, listening: str, host: str, status: int
) -> None:
    admin = ListenAddress(host=listening, port=9090)
    assignment.plan = make_plan(assignment.plan.config.model_copy(update={"admin": admin}))
    client = await aiohttp_client(make_app(assignment))
    for path in PATHS:
        response = await client.get(path, headers={"Host": host})
        assert (response.status == 421) is (status == 421), (path, response.status)


async def test_status_has_what_requests_say_of_instances(
    aiohttp_client: AiohttpClient, assignment: AdminAssignment
) -> None:
    # spec: E3, O1
    serve_all(assignment.board)
    about = digest([("shop", "production", "127.0.0.1:3000")])
    failed_at = int(time.monotonic()) - 7
    refused = NUMBERS["connection_refused"]
    assignment.loads.page(0).store(about, array("i", (1, 0, 2, 1, refused, failed_at)))
    assignment.loads.page(1).store(about, array("i", (1, 1, 1, 0, 0, 0)))
    client = await aiohttp_client(make_app(assignment))
    status: dict[str, Any] = await (await client.get("/status")).json()
    traffic = status["apps"]["shop"]["production"]["traffic"]["127.0.0.1:3000"]
    assert abs(traffic.pop("failed") - (time.time() - 7)) < 5
    assert traffic == {"up": 0.5, "in_flight": 3, "failing": 0.5, "cause": "connection_refused"}


async def test_nothing_can_be_changed(aiohttp_client: AiohttpClient, assignment: AdminAssignment) -> None:
    client = await aiohttp_client(make_app(assignment))
    for path in PATHS:
        assert (await client.post(path)).status == 405
