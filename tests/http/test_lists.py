"""A list on several lines is one list (RFC 9110 5.3), and many lines cost what their bytes do."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lb.http.cookies import without_cookie, without_set_cookie
from lb.http.etags import apps_conditions
from lb.http.head import Limits, RequestHead, ResponseHead
from lb.http.negotiate import choose_encoding, choose_error_form
from lb.http.scan import scan_request, scan_response
from lb.http.transform import encoded, varied, without_digests

OFFERED = (b"zstd", b"br", b"gzip")


def _request(*lines: bytes, limits: Limits | None = None) -> RequestHead:
    data = b"".join(line + b"\r\n" for line in (b"GET / HTTP/1.1", b"Host: a", *lines, b""))
    head = scan_request(data, limits or Limits())
    assert head is not None
    return head


def _response(*lines: bytes) -> ResponseHead:
    head = scan_response(b"".join(line + b"\r\n" for line in (b"HTTP/1.1 200 OK", *lines, b"")), Limits())
    assert head is not None
    return head


@pytest.mark.parametrize(
    ("lines", "coding"),
    [
        ((b"gzip", b"deflate"), b"gzip"),
        ((b"deflate", b"gzip"), b"gzip"),
        ((b"br", b"gzip;q=0"), b"br"),
        ((b"zstd;q=0", b"*"), b"br"),
        ((b"*", b"zstd;q=0"), b"br"),
        ((b"", b"gzip", b""), b"gzip"),
        ((b"identity", b"", b"gzip;q=0.5"), None),
        ((b"gzip;q=0.2, br;q=0.1", b"zstd;q=0.3"), b"zstd"),
    ],
)
def test_accept_encoding_on_several_lines(lines: tuple[bytes, ...], coding: bytes | None) -> None:
    # spec: C2
    head = _request(*[b"Accept-Encoding: " + line for line in lines], b"A: b")
    assert choose_encoding(head.accept_encoding(), OFFERED) == coding
    mixed = _request(b"X: y", *[b"aCCept-encoding:" + line + b"\t" for line in lines])
    assert choose_encoding(mixed.accept_encoding(), OFFERED) == coding


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        ((b"text/html", b"image/png"), "html"),
        ((b"image/png", b"application/json"), "json"),
        ((b"text/html;q=0.1", b"application/json;q=0.2", b"*/*;q=0"), "json"),
        ((b"text/html;q=0", b"*/*"), "text"),
    ],
)
def test_accept_on_several_lines(lines: tuple[bytes, ...], form: str) -> None:
    # spec: E2
    assert choose_error_form(_request(*[b"Accept: " + line for line in lines]).accept()) == form


def test_one_line_is_as_it_is_written() -> None:
    head = _request(b"Accept-Encoding: gzip , br ", b"Accept: text/html")
    assert (head.accept_encoding(), head.accept()) == (b"gzip , br", b"text/html")


def test_lists_of_a_request_that_lost_fields() -> None:
    # spec: H4
    lines = (b"Connection: accept", b"Accept: a", b"Accept-Encoding: gzip", b"Accept: b", b"Accept-Encoding: br")
    head = _request(*lines)
    assert head.accept() == b""
    assert choose_encoding(head.accept_encoding(), (b"gzip",)) == b"gzip"


def test_a_list_that_is_longer_than_a_line_says_nothing() -> None:
    # spec: L1: what is remembered of lists is bounded
    head = _request(*[b"Accept-Encoding: gzip" + b";x" * 1000] * 20)
    assert head.accept_encoding() == b""


def test_every_line_of_other_lists_counts() -> None:
    # spec: H2, H4, F4
    head = _request(
        b"Connection: upgrade",
        b"Upgrade: a",
        b"X-Forwarded-For: 1.1.1.1",
        b"Connection: x-hop, keep-alive",
        b"Upgrade: websocket",
        b"X-Hop: 1",
        b"X-Forwarded-For: 2.2.2.2",
        b"X-Forwarded-Proto: https",
        b"Via: 1.1 lb",
        b"X-Forwarded-Proto: http",
        b"Via: 1.0 lb",
    )
    assert (head.upgrade, head.forwarded_for, head.passes) == (b"a, websocket", b"1.1.1.1, 2.2.2.2", 2)
    assert head.forwarded_proto == b"http"
    assert b"X-Hop" not in head.kept
    response = _response(b"Upgrade: a", b"Connection: upgrade", b"Upgrade: b", b"Connection: close")
    assert (response.upgrade, response.keep_alive) == (b"a, b", False)
    for lines in ((b"timeout=7", b"max=5"), (b"max=5", b"timeout=7")):
        assert _response(*[b"Keep-Alive: " + line for line in lines]).keep_alive_for == 7
    assert _response(b"Cache-Control: no-transform", b"Cache-Control: private").no_transform
    assert _response(b"Content-Encoding: gzip", b"Content-Encoding: identity").encoded


_UNBOUNDED = Limits(total=1 << 30, fields=1 << 30)


def _scan(line: bytes) -> Callable[[int], object]:
    return lambda count: _request(b"Connection: upgrade", *[line] * count, limits=_UNBOUNDED)


def _tagged(count: int) -> object:
    head = RequestHead()
    head.method = b"GET"
    head.kept = b"GET / HTTP/1.1\r\n" + b'If-None-Match: "v1-lb-gzip"\r\n' * count
    return apps_conditions(head)


_COOKIES = b"Cookie: stick=1; a=b\r\nCookie: stick=2\r\n"
COSTS: dict[str, Callable[[int], object]] = {
    "cookies": lambda count: without_cookie(b"GET / HTTP/1.1\r\n" + _COOKIES * count, b"stick"),
    "set-cookies": lambda count: without_set_cookie(
        b"HTTP/1.1 200 OK\r\n" + b"Set-Cookie: stick=1\r\n" * count, b"stick"
    ),
    "chain": _scan(b"X-Forwarded-For: 1.1.1.1"),
    "protocols": _scan(b"Upgrade: websocket"),
    "accepted": lambda count: _request(*[b"Accept: a"] * count, limits=_UNBOUNDED).accept(),
    "tags": _tagged,
    "vary": lambda count: varied(b"HTTP/1.1 200 OK\r\n" + b"Vary: Cookie\r\n" * count),
    "digests": lambda count: encoded(b"HTTP/1.1 200 OK\r\n" + b"Digest: md5=x\r\n" * count, b"gzip"),
    "digests in trailers": lambda count: without_digests(b"Digest: md5=x\r\n" * count),
    "folds": lambda count: scan_response(b"HTTP/1.1 200 OK\r\nA: b\r\n" + b" c\r\n" * count + b"\r\n", _UNBOUNDED),
}


@pytest.mark.long
@pytest.mark.parametrize("name", COSTS)
def test_many_lines_cost_what_their_bytes_do(name: str) -> None:
    # spec: L1: copying what came before for each line makes sixteen times the lines cost over a hundred times as much
    work = COSTS[name]

    def cost(count: int) -> float:
        times = []
        for _ in range(5):
            start = time.thread_time()
            work(count)
            times.append(time.thread_time() - start)
        return min(times)

    assert cost(32_000) < 50 * cost(2_000)
