"""Which route a request takes, and which routes guard it, however its path is spelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.http.head import RequestHead
from lb.http.path_pattern import parse_pattern
from lb.routing.choices import Choices
from lb.routing.condition import RequestCondition
from lb.routing.route import Route

_POST = RequestCondition(frozenset((b"POST",)), (), ())


def _choices(*rules: tuple[str, RequestCondition | None]) -> tuple[Choices[Route], list[Route]]:
    routes = [Route(None, 0) for _ in rules]  # type: ignore[arg-type]  # where they lead is nobody's business here
    return Choices([parse_pattern(path) for path, _ in rules], [condition for _, condition in rules], routes), routes


def _head(target: str, method: bytes = b"GET") -> RequestHead:
    head = RequestHead()
    head.method = method
    head.target = target.encode()
    return head


@pytest.mark.parametrize(
    ("target", "method", "number"),
    [
        ("/api/users", b"GET", 1),
        ("/api/users", b"POST", 0),
        ("/api/users?x=/ws", b"GET", 1),
        ("/ws", b"GET", 2),
        ("/ws?a", b"GET", 2),
        ("/ws/", b"GET", None),
        ("/", b"GET", None),
        ("*", b"OPTIONS", None),
        ("/%61pi/users", b"GET", None),
        ("//api/users", b"GET", None),
    ],
)
def test_the_first_route_that_matches_is_taken(target: str, method: bytes, number: int | None) -> None:
    choices, routes = _choices(("/api/", _POST), ("/api/", None), ("/ws", None))
    assert choices.pick(_head(target, method)) is (None if number is None else routes[number])


@pytest.mark.parametrize(
    "target",
    [
        "/admin/",
        "/admin",
        "/%61dmin/",
        "/%2561dmin/",
        "//admin/",
        "/./admin",
        "/public/../admin/users",
        "/public/%2e%2e/admin",
        "/public/%2e%2e%2fadmin",
        "/public//../admin/x",
        "/public/..\\admin",
        "/%2525252561dmin",
    ],
)
def test_no_spelling_gets_round_a_guard(target: str) -> None:
    choices, routes = _choices(("/public/", None), ("/admin/", None))
    guarding = {*choices.guarding(_head(target)), choices.pick(_head(target))}
    assert routes[1] in guarding


@given(st.lists(st.sampled_from(["/", "admin", "%61dmin", "x", ".", "..", "%2e", "%2f", "\\", "%5c"]), max_size=7))
def test_a_path_that_a_server_would_read_as_guarded_is_guarded(pieces: list[str]) -> None:
    choices, routes = _choices(("/admin/", None))
    target = "/" + "".join(pieces)
    read = target
    for _ in range(2):  # as servers do that decode, turn, merge and resolve, in this order
        read = read.replace("%61", "a").replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\")
    kept: list[str] = []
    for segment in read.replace("\\", "/").split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    if kept[:1] == ["admin"]:
        assert routes[0] in choices.guarding(_head(target))
