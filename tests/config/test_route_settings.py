"""One route as it may be written."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from lb.config.route_settings import RouteSettings


def test_an_empty_route_is_for_every_request() -> None:
    route = RouteSettings()
    assert (route.path, route.method, dict(route.header), dict(route.query)) == ("/", (), {}, {})


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        ("method", "get", ("GET",)),
        ("method", ["put", "PATCH"], ("PUT", "PATCH")),
        ("status", "308", 308),
        ("deny", "true", (ip_network("0.0.0.0/0"), ip_network("::/0"))),
        ("deny", "off", ()),
        ("deny", "192.0.2.1", (ip_network("192.0.2.1/32"),)),
        ("allow", ["10.0.0.0/8", "::1"], (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
        ("strip", "/api", "/api"),
        ("path", "/blog/{rest}", "/blog/{rest}"),
    ],
)
def test_a_key_takes_what_people_write(key: str, written: Any, read: Any) -> None:
    assert getattr(RouteSettings(**{key: written}), key) == read


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("path", "static/"),
        ("path", "/a/{rest}/b"),
        ("path", None),
        ("method", "G E T"),
        ("method", [[]]),
        ("status", 200),
        ("deny", "everybody"),
        ("allow", "shop.example.com"),
        ("strip", "/{x}"),
        ("prefix", "api"),
        ("header", {"X-A": ["b"]}),
        ("redirect", ""),
        ("unknown", 1),
    ],
)
def test_what_it_refuses(key: str, written: Any) -> None:
    with pytest.raises(ValidationError):
        RouteSettings(**{key: written})
