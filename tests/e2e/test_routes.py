"""Routes: which app and path a request goes to, who is kept out, fields, CORS, pages, and limits of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.client import get, message, post
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import Echo, answer, echo, ok
from tests.e2e.harness.wire import Response

HOST = "shop.example.com"
STAGING = "stg-shop.example.com"
OTHER = "nobody.example.org"
HTML = "Accept: text/html"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("routes")
        (directory / "missing.html").write_text("<h1>Not here</h1>")
        (directory / "sorry.html").write_text("<h1>Sorry</h1>")
        shop, api, staging = (stack.enter_context(Instance(echo(name))) for name in ("shop", "api", "staging"))
        gone = stack.enter_context(
            Instance(answer(ok(b"<p>no", "Content-Type: text/html", 'ETag: "a"', "X-App: 1", status="404 Not Found")))
        )
        json_gone = stack.enter_context(
            Instance(answer(ok(b'{"no": 1}', "Content-Type: application/json", status="404 Not Found")))
        )
        config: dict[str, Any] = {
            "listen": {"http": "127.0.0.1:0"},
            "workers": 1,
            "domains_default": "shop",
            "apps": {
                "shop": {
                    "domains": [HOST, {"name": "www.shop.example.com", "redirect": HOST}, STAGING],
                    "production": {"instances": [shop.address], "limits": {"body": 2000}},
                    "staging": {"instances": [staging.address]},
                    "limits": {"body": 1000},
                    "headers": {
                        "request": {
                            "set": {"X-Forwarded-Host": "{host}", "X-Tenant": "shop"},
                            "remove": ["Authorization"],
                        },
                        "response": {"set": {"X-Frame-Options": "DENY"}, "remove": ["Server"]},
                    },
                    "errors": {404: str(directory / "missing.html"), "5xx": str(directory / "sorry.html")},
                    "routes": [
                        {"path": "/api/", "app": "api", "strip": "/api"},
                        {"path": "/v1/{rest}", "rewrite": "/v2/{rest}"},
                        {"path": "/put", "prefix": "/deep"},
                        {"path": "/blog/{rest}", "redirect": "https://blog.example.com/{rest}"},
                        {"path": "/moved", "redirect": "/new?from=old", "status": 302},
                        {"path": "/internal/", "deny": True},
                        {"path": "/old/{rest}", "redirect": "/{rest}"},
                        {"path": "/user/{id}", "rewrite": "/a b/ü?of={id}"},
                        {"path": "/ü/", "strip": "/ü", "prefix": "/a b"},
                        {"path": "/office/", "allow": ["192.0.2.0/24"]},
                        {"path": "/home/", "allow": ["127.0.0.0/8"], "headers": {"response": {"set": {"X-Home": "1"}}}},
                        {"path": "/none", "limits": {"body": 0}},
                        {"path": "/seldom", "limits": {"client_rate": "1/h"}},
                        {"path": "/late", "app": "late", "timeouts": {"response": "200ms"}},
                        {"path": "/gone", "app": "gone"},
                        {"path": "/json", "app": "json"},
                        {"path": "/down", "app": "down"},
                        {"path": "/", "method": "PATCH", "app": "api"},
                        {"path": "/", "header": {"X-Version": "2"}, "query": {"beta": "*"}, "app": "api"},
                        {
                            "path": "/shared/",
                            "cors": {"origins": ["https://app.example.com"], "methods": ["GET"], "credentials": True},
                        },
                    ],
                },
                "api": {"production": {"instances": [api.address]}, "staging": {"instances": [api.address]}},
                "late": both(stack.enter_context(Instance(silent))),
                "gone": both(gone),
                "json": both(json_gone),
                "down": {
                    "production": {"instances": ["127.0.0.1:1"]},
                    "staging": {"instances": ["127.0.0.1:1"]},
                },
            },
        }
        yield stack.enter_context(FrontDoor(config, directory))


def silent(peer: Peer) -> None:
    peer.request()
    peer.wait_gone()


def both(instance: Instance) -> dict[str, Any]:
    return {kind: {"instances": [instance.address]} for kind in ("production", "staging")}


def asked(door: FrontDoor, target: str, *lines: str, host: str = HOST) -> Response:
    return door.ask(get(target, *lines, host=host))


@pytest.mark.parametrize(
    ("target", "instance", "seen"),
    [
        ("/", "shop", "/"),
        ("/apis", "shop", "/apis"),
        ("/api/users?x=%2F", "api", "/users?x=%2F"),
        ("/api", "api", "/"),
        ("/api//a/../b%20c", "api", "//a/../b%20c"),
        ("/%61pi/users", "shop", "/%61pi/users"),
        ("/v1/a/b?c", "shop", "/v2/a/b?c"),
        ("/put", "shop", "/deep/put"),
        ("/user/7", "shop", "/a%20b/%C3%BC?of=7"),
        ("/user/7?x=1", "shop", "/a%20b/%C3%BC?of=7&x=1"),
        ("/%C3%BC/c", "shop", "/a%20b/c"),
    ],
)
def test_a_path_leads_to_its_app(door: FrontDoor, target: str, instance: str, seen: str) -> None:
    # spec: P1
    echoed = Echo(asked(door, target))
    assert (echoed.instance, echoed.target) == (instance, seen)


def test_methods_fields_and_parameters_choose_too(door: FrontDoor) -> None:
    # spec: P1
    assert Echo(door.ask(message("PATCH /", host=HOST))).instance == "api"
    assert Echo(asked(door, "/?beta=1", "X-Version: 2")).instance == "api"
    assert Echo(asked(door, "/?beta=1")).instance == "shop"
    assert Echo(asked(door, "/", "X-Version: 2")).instance == "shop"


def test_staging_has_the_same_routes_and_leads_to_staging(door: FrontDoor) -> None:
    assert Echo(asked(door, "/", host=STAGING)).instance == "staging"
    assert Echo(asked(door, "/api/x", host=STAGING)).target == "/x"


def test_the_default_app_gets_names_that_nobody_bound(door: FrontDoor) -> None:
    # spec: D4
    assert Echo(asked(door, "/x", host=OTHER)).instance == "shop"


@pytest.mark.parametrize(
    ("method", "target", "status", "location"),
    [
        ("GET", "/blog/2026/a?b=c", 301, "https://blog.example.com/2026/a?b=c"),
        ("POST", "/blog/", 308, "https://blog.example.com/"),
        ("GET", "/moved?x=1", 302, "/new?from=old"),
        ("GET", "/blog/%0d%0aX:y", 301, "https://blog.example.com/%0d%0aX:y"),
        ("GET", "/old/a//b", 301, "/a//b"),
        ("GET", "/old//evil.test/", 301, "/evil.test/"),
        ("GET", "/old/\\evil.test", 301, "/evil.test"),
        ("GET", "/old//\\/evil.test", 301, "/evil.test"),
    ],
)
def test_a_route_redirects(door: FrontDoor, method: str, target: str, status: int, location: str) -> None:
    response = door.ask(message(f"{method} {target}", host=HOST))
    assert (response.status, response.one("location").decode()) == (status, location)


def test_a_domain_redirects_to_another(door: FrontDoor) -> None:
    response = asked(door, "/a?b", host="www.shop.example.com:8080")
    assert (response.status, response.one("location")) == (301, b"http://shop.example.com:8080/a?b")


@pytest.mark.parametrize(
    "target",
    [
        "/internal/",
        "/internal",
        "/internal/a",
        "/%69nternal/a",
        "/%2569nternal/a",
        "//internal/a",
        "/./internal/a",
        "/x/../internal/a",
        "/api/../internal/a",
        "/api/%2e%2e/internal/a",
        "/api/%2e%2e%2finternal/a",
        "/api/..\\internal/a",
        "/internal;x=1/a",
        "/api/..;/internal/a",
        "/api/..%3b/internal/a",
        "/office/",
    ],
)
def test_nobody_gets_past_a_guard_by_spelling(door: FrontDoor, target: str) -> None:
    # spec: P3
    response = asked(door, target)
    assert response.status == 403
    assert b"http_request_denied" in response.body


def test_who_is_allowed_gets_in(door: FrontDoor) -> None:
    response = asked(door, "/home/x")
    assert (Echo(response).target, response.one("x-home")) == ("/home/x", b"1")


def test_fields_are_set_and_removed_both_ways(door: FrontDoor) -> None:
    # spec: P3
    response = asked(door, "/", "Authorization: Basic x", "X-Forwarded-Host: evil.test")
    echoed = Echo(response)
    assert echoed.one("x-forwarded-host") == HOST
    assert echoed.all("authorization") == []
    assert response.one("x-frame-options") == b"DENY"


@pytest.mark.parametrize(
    "name", ["X_Forwarded_Host", "authorization", "AUTHORIZATION", "X-Tenant", "X_Tenant", "x_tenant"]
)
def test_no_spelling_of_a_field_gets_past_a_rule(door: FrontDoor, name: str) -> None:
    # spec: P3
    echoed = Echo(asked(door, "/", f"{name}: evil"))
    assert not any("evil" in value for _, value in echoed.fields)


def test_own_replies_have_the_fields_too(door: FrontDoor) -> None:
    assert asked(door, "/internal/").one("x-frame-options") == b"DENY"
    assert asked(door, "/blog/").one("x-frame-options") == b"DENY"


def test_staging_is_kept_out_of_search_engines(door: FrontDoor) -> None:
    assert asked(door, "/", host=STAGING).one("x-robots-tag") == b"noindex"
    assert not asked(door, "/").has("x-robots-tag")


def test_a_page_stands_for_the_apps_error(door: FrontDoor) -> None:
    response = asked(door, "/gone", HTML)
    assert (response.status, response.body) == (404, b"<h1>Not here</h1>")
    assert response.one("x-app") == b"1"
    assert not response.has("etag")
    assert asked(door, "/gone", "Accept: application/json").body == b"<p>no"
    assert json.loads(asked(door, "/json", HTML).body) == {"no": 1}


def test_a_page_stands_for_an_error_of_ours(door: FrontDoor) -> None:
    response = asked(door, "/down", HTML)
    assert (response.status, response.body) == (502, b"<h1>Sorry</h1>")
    assert b"connection_refused" in response.one("proxy-status")
    assert b"connection_refused" in asked(door, "/down").body


def test_a_head_request_gets_no_page(door: FrontDoor) -> None:
    response = door.ask(message("HEAD /down", HTML, host=HOST))
    assert (response.status, response.body) == (502, b"")


@pytest.mark.parametrize(
    ("host", "target", "size", "key"),
    [
        (HOST, "/", 2001, "apps.shop.production.limits.body"),
        (STAGING, "/", 1001, "apps.shop.limits.body"),
        (HOST, "/none", 1, "apps.shop.routes[11].limits.body"),
    ],
)
def test_the_narrowest_limit_holds_and_is_named(door: FrontDoor, host: str, target: str, size: int, key: str) -> None:
    # spec: L7
    response = door.ask(post(target, b"x" * size, host=host))
    assert response.status == 413
    assert key.encode() in response.body
    if size > 1:
        assert door.ask(post(target, b"x" * (size - 1), host=host)).status == 200


def test_a_rate_of_its_own_counts_its_requests_alone(door: FrontDoor) -> None:
    # spec: L5, L7
    assert asked(door, "/seldom").status == 200
    response = asked(door, "/seldom")
    assert response.status == 429
    assert b"apps.shop.routes[12].limits.client_rate" in response.body
    assert asked(door, "/").status == 200


def test_a_time_out_of_its_own_is_named(door: FrontDoor) -> None:
    # spec: L7
    response = asked(door, "/late")
    assert response.status == 504
    assert b"apps.shop.routes[13].timeouts.response" in response.body


def test_cors_is_answered_and_marked(door: FrontDoor) -> None:
    lines = ("Origin: https://app.example.com", "Access-Control-Request-Method: GET")
    preflight = door.ask(message("OPTIONS /shared/x", *lines, host=HOST))
    assert preflight.status == 204
    assert preflight.one("access-control-allow-origin") == b"https://app.example.com"
    asks = ("Access-Control-Request-Method: DELETE", "Access-Control-Request-Headers: x-token")
    preflight = door.ask(message("OPTIONS /shared/x", lines[0], *asks, host=HOST))
    assert preflight.one("access-control-allow-origin") == b"https://app.example.com"
    assert b"GET" in preflight.one("access-control-allow-methods")
    assert preflight.one("access-control-allow-headers") == b"x-token"
    assert preflight.has("access-control-max-age")
    response = asked(door, "/shared/x", "Origin: https://app.example.com")
    assert response.one("access-control-allow-origin") == b"https://app.example.com"
    assert response.one("access-control-allow-credentials") == b"true"
    assert b"Origin" in b",".join(response.all("vary"))
    assert not asked(door, "/shared/x", "Origin: https://evil.test").has("access-control-allow-origin")


def test_a_reload_changes_routes(tmp_path: Path) -> None:
    with Instance(echo("one")) as one, Instance(echo("two")) as two:
        config: dict[str, Any] = {
            "listen": {"http": "127.0.0.1:0"},
            "workers": 1,
            "apps": {
                "one": {"domains": [HOST], "production": {"instances": [one.address]}},
                "two": {"domains": ["two.example.com"], "production": {"instances": [two.address]}},
            },
        }
        with FrontDoor(config, tmp_path) as door:
            assert Echo(asked(door, "/two/")).instance == "one"
            config["apps"]["one"]["routes"] = [{"path": "/two/", "app": "two"}]
            assert door.reload(config)
            assert Echo(asked(door, "/two/")).instance == "two"
            assert Echo(asked(door, "/")).instance == "one"
