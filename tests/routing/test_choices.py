"""Which route a request takes, and which routes guard it, however its path is spelt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.http.head import RequestHead
from lb.http.path_pattern import parse_pattern
from lb.routing.choices import NONE, Choices
from lb.routing.condition import RequestCondition

_POST = RequestCondition(frozenset((b"POST",)), (), ())


def _choices(*rules: tuple[str, RequestCondition | None]) -> Choices:
    return Choices([parse_pattern(path) for path, _ in rules], [condition for _, condition in rules])


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
        ("/ws/", b"GET", NONE),
        ("/", b"GET", NONE),
        ("*", b"OPTIONS", NONE),
        ("/%61pi/users", b"GET", NONE),
        ("//api/users", b"GET", NONE),
    ],
)
def test_the_first_route_that_matches_is_taken(target: str, method: bytes, number: int) -> None:
    choices = _choices(("/api/", _POST), ("/api/", None), ("/ws", None))
    assert choices.pick(_head(target, method)) == number


def test_a_path_that_was_seen_is_not_taken_for_another_request() -> None:
    choices = _choices(("/a", _POST), ("/a", None), ("/{rest}", None))
    for _ in range(2):
        assert choices.pick(_head("/a", b"POST")) == 0
        assert choices.pick(_head("/a")) == 1
        assert choices.pick(_head("/b")) == choices.pick(_head("/b?/a")) == 2
        assert choices.pick(_head("*", b"OPTIONS")) == NONE


def test_however_many_paths_there_are_no_more_is_remembered() -> None:
    choices = _choices(("/a/", None))
    for number in range(5000):
        assert choices.pick(_head(f"/a/{number}")) == 0
        assert choices.pick(_head(f"/b/{number}")) == NONE


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
    choices = _choices(("/public/", None), ("/admin/", None))
    assert 1 in {*choices.others(_head(target)), choices.pick(_head(target))}


@given(st.lists(st.sampled_from(["/", "admin", "%61dmin", "x", ".", "..", "%2e", "%2f", "\\", "%5c"]), max_size=7))
def test_a_path_that_a_server_would_read_as_guarded_is_guarded(pieces: list[str]) -> None:
    choices = _choices(("/admin/", None))
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
        assert 0 in choices.others(_head(target))
