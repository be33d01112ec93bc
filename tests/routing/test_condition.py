"""Methods, fields and parameters that a route asks for."""

from __future__ import annotations

import pytest

from lb.http.head import Limits
from lb.http.scan import scan_request
from lb.routing.condition import RequestCondition, Wanted


def _holds(
    target: bytes = b"/",
    *,
    method: bytes = b"GET",
    methods: tuple[bytes, ...] = (),
    fields: Wanted = (),
    query: Wanted = (),
) -> bool:
    head = scan_request(method + b" " + target + b" HTTP/1.1\r\nHost: a\r\nX-Version: 2\r\n\r\n", Limits())
    assert head is not None
    return RequestCondition(frozenset(methods), fields, query).holds(head)


def test_nothing_asked_is_any_request() -> None:
    assert _holds()


def test_one_of_the_methods_is_needed() -> None:
    assert _holds(methods=(b"GET", b"HEAD"))
    assert not _holds(methods=(b"POST",))


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        (((b"x-version", None),), True),
        (((b"x-version", b"2"),), True),
        (((b"x-version", b"1"),), False),
        (((b"x-other", None),), False),
        (((b"x-version", None), (b"x-other", None)), False),
    ],
)
def test_every_field_is_needed(fields: Wanted, holds: bool) -> None:
    assert _holds(fields=fields) is holds


@pytest.mark.parametrize(
    ("target", "query", "holds"),
    [
        (b"/?a=1&b=2", ((b"a", b"1"),), True),
        (b"/?a=1&b=2", ((b"a", b"1"), (b"b", None)), True),
        (b"/?a=1&a=2", ((b"a", b"2"),), True),
        (b"/?a=1", ((b"a", b"2"),), False),
        (b"/?a", ((b"a", None),), True),
        (b"/?a", ((b"a", b""),), True),
        (b"/", ((b"a", None),), False),
        (b"/?%61=x+y", ((b"a", b"x y"),), True),
        (b"/?a=1?b=2", ((b"b", b"2"),), False),
    ],
)
def test_every_parameter_is_needed(target: bytes, query: Wanted, holds: bool) -> None:
    assert _holds(target, query=query) is holds


@pytest.mark.parametrize("lines", [b"X_Debug: 1\r\n", b"x-debug:1\r\n", b"X-Debug: 0\r\nX-Debug: 1\r\n"])
def test_a_field_is_found_as_an_app_may_find_it(lines: bytes) -> None:
    # spec: P3
    head = scan_request(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n", Limits())
    assert head is not None
    assert RequestCondition(frozenset(), ((b"x-debug", b"1"),), ()).holds(head)
    assert not RequestCondition(frozenset(), ((b"x-debug", b"2"),), ()).holds(head)
