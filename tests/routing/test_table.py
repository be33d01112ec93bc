"""From the Host of a request to its route (D2): which binding wins, and which spellings are the same name."""

from __future__ import annotations

import sys

import pytest

from lb.routing.environment import Environment
from lb.routing.policy import Policy
from lb.routing.route import Route
from lb.routing.table import RouteTable, host_name

NAMES = ("shop.example.com", "*.example.com", "*.apps.example.com", "127.0.0.1", "2001:db8::1")


def table(*names: str) -> tuple[RouteTable, dict[Route | None, str | None]]:
    """A table, and the name behind each of its routes."""
    environment = Environment("shop", "production", [], Policy())
    routes = {name: Route(environment, 0) for name in names}
    return RouteTable(routes), {None: None, **{route: name for name, route in routes.items()}}


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"shop.example.com", "shop.example.com"),
        (b"SHOP.Example.com", "shop.example.com"),
        (b"shop.example.com.", "shop.example.com"),
        (b"shop.example.com:8080", "shop.example.com"),
        (b"shop.example.com.:8080", "shop.example.com"),
        (b"blog.example.com", "*.example.com"),
        (b"BLOG.example.com.:1", "*.example.com"),
        (b"apps.example.com", "*.example.com"),
        (b"one.apps.example.com", "*.apps.example.com"),
        (b"a.shop.example.com", None),  # a wildcard stands for one label
        (b"example.com", None),
        (b".example.com", None),  # and one label it has to be
        (b".apps.example.com:80", None),
        (b"shop.example.com..", None),
        (b"*.example.com", "*.example.com"),
        (b"com", None),
        (b"", None),
        (b"127.0.0.1:80", "127.0.0.1"),
        (b"[2001:DB8::1]", "2001:db8::1"),
        (b"[2001:db8::1]:80", "2001:db8::1"),
        (b"[2001:db8::2]", None),
    ],
)
def test_which_binding_a_host_is_for(host: bytes, name: str | None) -> None:
    # spec: D2
    routes, names = table(*NAMES)
    for _ in range(2):  # the second time as it is remembered
        assert names[routes.find(host)] == name


def test_any_host_is_for_who_has_no_other() -> None:
    # spec: D2
    routes, names = table("*", "shop.example.com", "*.example.com")
    hosts = (b"shop.example.com", b"x.example.com", b"example.com", b"", b"[::1]")
    assert [names[routes.find(host)] for host in hosts] == ["shop.example.com", "*.example.com", "*", "*", "*"]


def test_only_bound_names_of_a_possible_length_are_remembered() -> None:
    # names that a client makes up must not fill the memory
    routes, names = table("*.example.com")
    hosts = [b"a" * 242 + b".example.com.:65535", b"a" * 243 + b".example.com.:65535", b"a" * 242 + b".example.net"]
    held = [sys.getrefcount(host) for host in hosts]
    assert [names[routes.find(host)] for host in hosts] == ["*.example.com", "*.example.com", None]
    assert [sys.getrefcount(host) for host in hosts] == [held[0] + 1, held[1], held[2]]


@pytest.mark.parametrize(
    ("host", "name"), [(b"A.b.:1", b"a.b"), (b"[FE80::1]:80", b"fe80::1"), (b"", b""), (b".", b""), (b":80", b"")]
)
def test_the_name_in_a_host(host: bytes, name: bytes) -> None:
    assert host_name(host) == name
