"""What is told of heads that were refused: as much as came, nothing that could be read in two ways, never a value."""

from __future__ import annotations

import pytest

from lb.errors import ProxyError
from lb.http.head import Limits
from lb.http.refused import Refused, explained, head_too_large

# spec: L1, E1

LIMITS = Limits(256, 1024, 10)


def test_a_head_that_came_whole() -> None:
    fields = b"Host: a.example:8080\r\nAccept: text/html\r\nUser-Agent:  me \r\nReferer: r\r\n"
    data = b"GET /a?b HTTP/1.1\r\n" + fields + b"\r\nHost: b\r\n"
    refused = Refused(data)
    assert (refused.method, refused.target, refused.host) == (b"GET", b"/a?b", b"a.example:8080")
    assert (refused.accept, refused.user_agent, refused.referer) == (b"text/html", b"me", b"r")


@pytest.mark.parametrize(
    ("data", "method", "target", "host"),
    [
        (b"", b"", b"", b""),
        (b"\r\n\r\nPUT /x HTTP/1.1\r\nHost: a\r\nX: 1", b"PUT", b"/x", b"a"),
        (b"GET /" + b"a" * 5000, b"GET", b"/" + b"a" * 1023, b""),
        (b"GET / HTTP/1.1\r\nHost: a.exam", b"GET", b"/", b""),  # the rest of it may be to come
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", b"GET", b"/", b""),  # ambiguous
        (b"GET / HTTP/1.1\r\nHost: <a>\r\n\r\n", b"GET", b"/", b""),
        (b"\x16\x03\x01\x02\x00\x01", b"", b"", b""),
        (b"GET", b"GET", b"", b""),
        (b"a b\xff\x00c", b"a", b"b\xff\x00c", b""),
        (b"x" * 33 + b" / HTTP/1.1\r\n\r\n", b"", b"", b""),
    ],
)
def test_what_came_and_no_more(data: bytes, method: bytes, target: bytes, host: bytes) -> None:
    refused = Refused(data)
    assert (refused.method, refused.target, refused.host) == (method, target, host)
    assert refused.accept == b""


@pytest.mark.parametrize(
    ("code", "data", "text"),
    [
        ("request_line_too_long", b"GET /" + b"a" * 300, "the limit is 256 bytes (limits.header_line)"),
        (
            "request_header_too_large",
            b"GET / HTTP/1.1\r\nA: 1\r\nCookie: " + b"secret" * 50,
            "the field Cookie is longer than 256 bytes (limits.header_line)",
        ),
        ("request_header_too_large", b"GET / HTTP/1.1\r\n" + b"s" * 300, "a field line is longer than 256 bytes"),
        ("request_header_too_large", b"GET / HTTP/1.1\r\n" + b"s" * 100 + b": " + b"x" * 200, "a field line is"),
        ("request_header_too_large", b"GET / HTTP/1.1\r\n<b>: " + b"x" * 300, "a field line is longer"),
        ("request_header_too_large", b"G / H\r\n" + b"A: 1\r\n" * 11, "there are more than 10 fields (limits.header_f"),
        ("request_header_too_large", b"G / H\r\n" + b"A: 1\r\n" * 11 + b"B: " + b"x" * 300, "there are more than 10"),
        ("request_header_too_large", b"G / H\r\n" + (b"A: " + b"x" * 200 + b"\r\n") * 5, "than 1024 bytes (limits.hea"),
        ("http_request_error", b"GET / HTTP/1.1\r\nA: " + b"x" * 300, ""),
    ],
)
def test_which_limit_it_was(code: str, data: bytes, text: str) -> None:
    said = head_too_large(code, data, LIMITS)
    assert text in said
    assert bool(said) is bool(text)
    assert "secret" not in said


@pytest.mark.parametrize(
    ("error", "keys"),
    [
        (ProxyError("request_body_too_large"), ["5000 bytes (limits.body)"]),
        (ProxyError("request_header_too_large"), ["trailers", "limits.header_total", "limits.header_line"]),
        (ProxyError("request_header_too_large", "too many fields"), ["trailers", "10 fields (limits.header_fields)"]),
        (ProxyError("request_header_too_large", "x (limits.header_line)"), ["x (limits.header_line)"]),
        (ProxyError("http_response_header_section_size"), ["1024 bytes (limits.header_total)"]),
        (ProxyError("http_request_error", "as it was"), ["as it was"]),
        (ProxyError("connection_refused"), [""]),
    ],
)
def test_every_limit_has_its_key(error: ProxyError, keys: list[str]) -> None:
    said = explained(error, LIMITS, 5000, {})
    for key in keys:
        assert key in said
    assert len(said) < 200  # as much as a reply shows
