"""What placeholders stand for."""

from __future__ import annotations

import pytest

from lb.http.head import RequestHead
from lb.http.path_pattern import parse_pattern
from lb.routing.request_values import RequestValues


def _value(name: str, *, host: bytes = b"Shop.example.com:8080", target: bytes = b"/users/7/a/b?x=1&y=2") -> bytes:
    head = RequestHead()
    head.host = host
    head.target = target
    return RequestValues(head, b"https", b"192.0.2.1", b"abc", parse_pattern("/users/{id}/{rest}"))(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", b"shop.example.com"),
        ("hostport", b"Shop.example.com:8080"),
        ("port", b":8080"),
        ("path", b"/users/7/a/b"),
        ("query", b"x=1&y=2"),
        ("client", b"192.0.2.1"),
        ("request_id", b"abc"),
        ("scheme", b"https"),
        ("id", b"7"),
        ("rest", b"a/b"),
        ("other", b""),
    ],
)
def test_a_placeholder_stands_for(name: str, value: bytes) -> None:
    assert _value(name) == value


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        (b"[2001:db8::1]:81", b"[2001:db8::1]", b":81"),
        (b"[2001:db8::1]", b"[2001:db8::1]", b""),
        (b"a.example", b"a.example", b""),
        (b"a.example.:81", b"a.example", b":81"),
    ],
)
def test_hosts_with_and_without_ports(host: bytes, name: bytes, port: bytes) -> None:
    assert (_value("host", host=host), _value("port", host=host)) == (name, port)


def test_without_a_query_and_a_pattern() -> None:
    head = RequestHead()
    head.target = b"/a"
    values = RequestValues(head, b"http", b"", b"", None)
    assert (values("query"), values("rest")) == (b"", b"")
