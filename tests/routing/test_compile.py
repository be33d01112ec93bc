"""From a configuration to a snapshot: names, environments, bounds, and what each worker has of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.routing.compile import compile_snapshot
from lb.routing.registry import Registry
from lb.routing.snapshot import Snapshot


def compiled(workers: int = 1, **config: Any) -> Snapshot:
    production = {"instances": ["127.0.0.1:1"]}
    base = {"listen": {"http": "127.0.0.1:0"}, "apps": {"a": {"domains": ["a.example"], "production": production}}}
    registered = Registry().plan()
    loaded = load_bytes("test", json.dumps(base | config).encode(), {}).plan
    snapshot = compile_snapshot(loaded, lambda _: None, registered, None, workers)
    registered.commit()
    return snapshot


def apps(*domains: Any, **more: Any) -> dict[str, Any]:
    return {"a": {"domains": list(domains), "production": {"instances": ["127.0.0.1:1"]}, **more}}


# spec: D2
def test_each_domain_leads_to_its_environment() -> None:
    staging = {"instances": ["127.0.0.1:2"]}
    found = compiled(apps=apps("a.example", "stg-a.example", "*.b.example", staging=staging)).table
    for host, environment in (
        (b"a.example", b"production"),
        (b"stg-a.example", b"staging"),
        (b"x.b.example", b"production"),
    ):
        route = found.find(host)
        assert route is not None
        assert route.environment.name == environment
    assert found.find(b"c.example") is None


def test_domains_that_are_treated_alike_share_a_route() -> None:
    table = compiled(apps=apps("a.example", "b.example", {"name": "c.example", "compression": False})).table
    assert table.find(b"a.example") is table.find(b"b.example")
    assert table.find(b"a.example") is not table.find(b"c.example")


# spec: C1
def test_compression_is_the_domains_to_refuse() -> None:
    table = compiled(apps=apps("a.example", {"name": "c.example", "compression": False})).table
    on, off = table.find(b"a.example"), table.find(b"c.example")
    assert on is not None
    assert off is not None
    assert on.compression is not None
    assert b"text/html" in on.compression.types
    assert off.compression is None
    without = compiled(compression=False).table.find(b"a.example")
    assert without is not None
    assert without.compression is None


# spec: L5
def test_bounds_are_shared_among_the_workers() -> None:
    snapshot = compiled(workers=4, limits={"connections": 100, "waiting": 2})
    assert (snapshot.max_connections, snapshot.max_waiting) == (25, 1)


# spec: L5
def test_a_rate_becomes_a_pace() -> None:
    assert compiled().client_pace is None
    pace = compiled(limits={"client_rate": "10/s", "client_burst": 5}).client_pace
    assert pace is not None
    assert pace.interval == 0.1
    assert pace.slack == pytest.approx(0.4, abs=1e-3)  # four more at once
    without_burst = compiled(limits={"client_rate": "10/s"}).client_pace
    assert without_burst is not None
    assert without_burst.slack == pytest.approx(0.9, abs=1e-3)


# spec: L1, L2, L3, L4
def test_limits_and_times_are_the_configurations() -> None:
    snapshot = compiled(
        limits={"header_line": 1000, "header_total": 5000, "header_fields": 20, "body": 77},
        timeouts={"connect": "1s", "response": "2s", "read": "3s", "head": "4s", "idle": "5s"},
    )
    assert (snapshot.limits.line, snapshot.limits.total, snapshot.limits.fields) == (1000, 5000, 20)
    assert (snapshot.connect, snapshot.response, snapshot.read, snapshot.head, snapshot.idle) == (1, 2, 3, 4, 5)
    route = snapshot.table.find(b"a.example")
    assert route is not None
    assert route.body_cap == 77
