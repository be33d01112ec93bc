"""What routes become of an app's settings: limits and their keys, fields, pages, and how many objects that takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.http.head import RequestHead
from lb.routing.compile import compile_snapshot
from lb.routing.registry import Registry
from lb.routing.route import BUFFERING_AUTO, BUFFERING_OFF, BUFFERING_ON, Route
from lb.routing.snapshot import Snapshot

HOST = "shop.example.com"
STAGING = "stg-shop.example.com"
INSTANCES = {"instances": ["127.0.0.1:3000"]}


def snapshot_of(app: dict[str, Any], **top: Any) -> Snapshot:
    apps = {
        "shop": {"domains": [HOST, STAGING], "production": INSTANCES, "staging": INSTANCES, **app},
        "api": {"production": INSTANCES, "staging": INSTANCES, "domains": ["api.example.com", "stg-api.example.com"]},
    }
    config = {"listen": {"http": "127.0.0.1:80"}, "apps": apps, **top}
    plan = load_bytes("lb.yaml", json.dumps(config).encode(), {}).plan
    registry = Registry()
    planned = registry.plan()
    snapshot = compile_snapshot(plan, lambda _: None, planned, None, 1)
    planned.commit()
    return snapshot


def found(snapshot: Snapshot, host: str = HOST, target: str = "/") -> Route:
    route = snapshot.table.find(host.encode())
    assert route is not None
    head = RequestHead()
    head.target = target.encode()
    return route.branch(head)


def test_a_route_that_asks_for_nothing_has_nothing() -> None:
    route = found(snapshot_of({}))
    assert (route.extras, route.choices, route.pace) == (None, None, None)
    assert route.keys() == {}


def test_the_narrowest_limit_holds() -> None:
    # spec: L7
    snapshot = snapshot_of(
        {
            "limits": {"body": "2K"},
            "production": {**INSTANCES, "limits": {"body": "3K"}, "timeouts": {"read": "3s"}},
            "timeouts": {"read": "2s", "response": "2s"},
            "routes": [{"path": "/up/", "limits": {"body": "4K"}, "timeouts": {"response": "4s"}}],
        },
        limits={"body": "1K"},
        timeouts={"connect": "1s"},
    )
    route = found(snapshot, target="/up/x")
    assert (route.body_cap, route.connect, route.response, route.read) == (4096, 1.0, 4.0, 3.0)
    assert route.keys() == {
        "limits.body": "apps.shop.routes[0].limits.body",
        "timeouts.response": "apps.shop.routes[0].timeouts.response",
        "timeouts.read": "apps.shop.production.timeouts.read",
    }
    assert found(snapshot).body_cap == 3072
    assert found(snapshot, STAGING).body_cap == 2048
    assert found(snapshot, "api.example.com").body_cap == 1024


def test_limits_are_those_of_the_app_that_answers() -> None:
    snapshot = snapshot_of({"limits": {"body": "2K"}, "routes": [{"path": "/api/", "app": "api"}]})
    route = found(snapshot, target="/api/x")
    assert route.environment.app == b"api"
    assert route.body_cap == 100 << 20


def test_a_rate_of_its_own_is_counted_apart() -> None:
    snapshot = snapshot_of(
        {"limits": {"client_rate": "10/s"}, "routes": [{"path": "/a", "limits": {"client_rate": "1/m"}}]}
    )
    all_of_app, one = found(snapshot), found(snapshot, target="/a")
    assert all_of_app.pace is not None
    assert one.pace is not None
    assert (all_of_app.pace.interval, one.pace.interval) == (0.1, 60.0)
    assert all_of_app.scope != one.scope


@pytest.mark.parametrize(
    ("written", "production", "staging"), [(None, False, True), (True, True, True), (False, False, False)]
)
def test_staging_is_kept_out_of_search_engines(written: bool | None, production: bool, staging: bool) -> None:
    own = {} if written is None else {"noindex": written}
    snapshot = snapshot_of({"production": {**INSTANCES, **own}, "staging": {**INSTANCES, **own}})
    for host, hidden in ((HOST, production), (STAGING, staging)):
        extras = found(snapshot, host).extras
        lines = (
            b""
            if extras is None or extras.response_fields is None
            else extras.response_fields.apply(b"", lambda _: b"")
        )
        assert (b"X-Robots-Tag: noindex" in lines) is hidden


def test_a_routes_fields_come_on_top_of_the_apps() -> None:
    snapshot = snapshot_of(
        {
            "headers": {"response": {"set": {"X-A": "1", "X-B": "1"}, "remove": ["Server"]}},
            "routes": [{"path": "/a", "headers": {"response": {"set": {"X-B": "2"}, "remove": ["X-Powered-By"]}}}],
        }
    )
    extras = found(snapshot, target="/a").extras
    assert extras is not None
    assert extras.response_fields is not None
    lines = extras.response_fields.apply(b"HTTP/1.1 200 OK\r\nServer: a\r\nX-Powered-By: b\r\n", lambda _: b"")
    assert lines == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\n"


def test_a_page_for_one_status_wins_over_that_of_its_class(tmp_path: Path) -> None:
    for name in ("all.html", "one.html", "route.html"):
        (tmp_path / name).write_text(name)
    snapshot = snapshot_of(
        {
            "errors": {"5xx": str(tmp_path / "all.html"), 503: str(tmp_path / "one.html")},
            "routes": [{"path": "/a", "errors": {500: str(tmp_path / "route.html")}}],
        }
    )
    pages = [(found(snapshot, target=target).extras, target) for target in ("/", "/a")]
    shown = [[(extras.error_pages or {}).get(status) for status in (500, 503, 404)] for extras, _ in pages if extras]
    assert shown == [[b"all.html", b"one.html", None], [b"route.html", b"one.html", None]]


def test_domains_that_are_treated_alike_share_a_route() -> None:
    names = [f"d{number}.example.com" for number in range(100)]
    snapshot = snapshot_of({"domains": [*names, STAGING], "routes": [{"path": "/a"}]})
    assert len({id(snapshot.table.find(name.encode())) for name in names}) == 1


def test_the_default_app_takes_what_nobody_bound() -> None:
    # spec: D4
    snapshot = snapshot_of({}, domains_default="api")
    assert found(snapshot, "nobody.example.org").environment.app == b"api"
    assert snapshot_of({}).table.find(b"nobody.example.org") is None
    anybody = snapshot_of({"domains": [HOST, STAGING, "*"]})
    assert found(anybody, "nobody.example.org").environment.app == b"shop"


def test_the_narrowest_buffering_holds() -> None:
    # spec: F6, L7
    assert found(snapshot_of({})).buffering == BUFFERING_AUTO
    snapshot = snapshot_of(
        {
            "buffering": "on",
            "production": {**INSTANCES, "buffering": "auto"},
            "routes": [{"path": "/live/", "buffering": False}, {"path": "/api/", "app": "api"}, {"path": "/other"}],
        }
    )
    assert found(snapshot).buffering == BUFFERING_AUTO
    assert found(snapshot, STAGING).buffering == BUFFERING_ON
    assert found(snapshot, target="/live/x").buffering == BUFFERING_OFF
    assert found(snapshot, STAGING, "/other").buffering == BUFFERING_ON
    assert found(snapshot, STAGING, "/api/x").buffering == BUFFERING_AUTO  # that of the app that answers
    assert found(snapshot, target="/live/x").extras is None


def test_the_room_for_bodies_on_disk() -> None:
    # spec: F6
    assert snapshot_of({}).max_buffered == 4 << 30
    assert snapshot_of({}, limits={"buffered": "10M"}).max_buffered == 10 << 20


def test_how_long_refused_connections_are_tried_again() -> None:
    # spec: F2
    assert found(snapshot_of({})).environment.retry_for == 0.0
    production = {**INSTANCES, "retry_for": "2s"}
    assert found(snapshot_of({"production": production})).environment.retry_for == 2.0
