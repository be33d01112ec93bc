"""What `lb check` says about routes, fields, redirects and own limits: each rule with a file that breaks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.config.problems import ConfigErrors, Problem

INSTANCES = {"instances": ["127.0.0.1:3000"]}


def problems(app: dict[str, Any] | None = None, **top: Any) -> list[Problem]:
    """All that is said of a file with the app `shop`, which has these settings, and the app `api`."""
    apps = {
        "shop": {"domains": ["shop.example.com"], "production": INSTANCES, **(app or {})},
        "api": {"domains": ["api.example.com"], "production": INSTANCES},
    }
    config = {"listen": {"http": "127.0.0.1:80"}, "apps": apps, **top}
    try:
        return list(load_bytes("lb.yaml", json.dumps(config).encode(), {}).warnings)
    except ConfigErrors as errors:
        return list(errors.problems)


def routes(*settings: dict[str, Any]) -> dict[str, Any]:
    return {"routes": list(settings)}


@pytest.mark.parametrize(
    ("app", "top", "says"),
    [
        ({}, {"domains_default": "shpo"}, 'there is no app "shpo"'),
        ({"domains": ["*"]}, {"domains_default": "shop"}, "both say who gets the names that nobody bound"),
        ({"domains": [{"name": "a.example", "redirect": "a.example"}]}, {}, "leads back"),
        (routes({"path": "/a/", "app": "apu"}), {}, 'there is no app "apu"'),
        ({**routes({"app": "api"}), "domains": ["stg-a.example"], "staging": INSTANCES}, {}, "has no staging"),
        (routes({"redirect": "/b", "app": "api"}), {}, "so app is not used"),
        (routes({"status": 301}), {}, "status is that of a redirect"),
        (routes({"path": "/a/", "rewrite": "/b", "strip": "/a"}), {}, "strip is not used"),
        (routes({"path": "/a/", "strip": "/b"}), {}, "begins with"),
        (routes({"path": "/a/"}, {"path": "/a/b"}), {}, "never matches"),
        (routes({"path": "/{x}"}, {"path": "/a"}), {}, "never matches"),
        (routes({"path": "/a/{rest}"}, {"path": "/a/b/"}), {}, "never matches"),
        (routes({"path": "/a", "redirect": "/{rest}"}), {}, "no placeholder {rest}"),
        (routes({"path": "/{id}", "rewrite": "/{di}"}), {}, "no placeholder {di}"),
        ({"headers": {"response": {"set": {"X-A": "{hots}"}}}}, {}, "no placeholder {hots}"),
        ({"headers": {"response": {"set": {"Content-Length": "1"}}}}, {}, "says where a message ends"),
        ({"headers": {"request": {"remove": ["X-Real-IP"]}}}, {}, "lb itself says about the client"),
        ({"cors": {"origins": "*", "credentials": True}}, {}, "every origin act with the user's cookies"),
        ({"cors": {"origins": "app.example.com"}}, {}, "is not an origin"),
        ({"headers": {"response": {"set": {"strict-transport-security": "max-age=1"}}}}, {}, "has no effect over HTTP"),
        (routes({"headers": {"response": {"set": {"Strict-Transport-Security": "a"}}}}), {}, "has no effect over HTTP"),
        ({"errors": {404: "nowhere.html"}}, {}, "there is no file nowhere.html"),
        ({"errors": {200: "a.html"}}, {}, "is not a status of an error"),
        ({"limits": {"client_burst": 5}}, {}, "means nothing without a client_rate"),
        (routes({"path": "/a/", "deny": "everybody"}), {}, "is not a network"),
        (routes({"path": "a/"}), {}, "does not begin with a slash"),
    ],
)
def test_a_mistake_is_named_with_the_next_step(app: dict[str, Any], top: dict[str, Any], says: str) -> None:
    # spec: R1
    found = problems(app, **top)
    assert [problem for problem in found if says in problem.message], [problem.message for problem in found]
    assert all(problem.hint or "did you mean" in problem.message for problem in found)


@pytest.mark.parametrize(
    "app",
    [
        routes({"path": "/a/b"}, {"path": "/a/"}),
        routes({"path": "/a/", "method": "POST"}, {"path": "/a/b"}),
        routes({"path": "/a"}, {"path": "/a/"}),
        routes({"path": "/a/{rest}"}, {"path": "/a"}, {"path": "/a/"}),
        routes({"path": "/{x}/b"}, {"path": "/a/{y}"}),
        {"cors": {"origins": ["https://a.example", "https://*.b.example"], "credentials": True}},
        {"domains": ["shop.example.com", {"name": "www.shop.example.com", "redirect": "shop.example.com"}]},
    ],
)
def test_nothing_is_said_of_what_works(app: dict[str, Any]) -> None:
    assert problems(app) == []


def test_an_app_without_domains_may_be_led_to_by_a_route_or_by_default() -> None:
    lonely = {"production": INSTANCES}
    shop = {"domains": ["shop.example.com"], "production": INSTANCES, "routes": [{"path": "/a/", "app": "api"}]}
    assert problems(apps={"shop": shop, "api": lonely}) == []
    assert problems(apps={"api": lonely}, domains_default="api") == []
    assert [problem for problem in problems(apps={"api": lonely}) if "has no domains" in problem.message]


def test_a_page_may_not_be_too_large(tmp_path: Path) -> None:
    page = tmp_path / "large.html"
    page.write_bytes(b"x" * ((1 << 20) + 1))
    assert "is larger than 1M" in problems({"errors": {"5xx": str(page)}})[0].message
    page.write_bytes(b"x")
    assert problems({"errors": {"5xx": str(page)}}) == []
