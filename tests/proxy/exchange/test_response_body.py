"""A response's body: how its end is known, and when it is compressed."""

from __future__ import annotations

import gzip

import pytest

from lb.errors import ProxyError
from lb.http.body import CHUNKED, CLOSE, LENGTH, NONE
from lb.http.head import Limits, RequestHead, ResponseHead
from lb.http.scan import scan_request, scan_response
from lb.proxy.exchange.response_body import ResponseBody
from lb.proxy.filters import compress
from lb.proxy.io.read_buffer import ReadBuffer
from lb.routing.compression import Compression
from tests.proxy.exchange.fakes import FakeClient

COMPRESSION = Compression((b"gzip",), 10, frozenset((b"text/plain",)))


def asked(method: str = "GET", *lines: str) -> RequestHead:
    head = scan_request("\r\n".join((f"{method} / HTTP/1.1", "Host: a", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


def answered(status: int, *lines: str) -> ResponseHead:
    head = scan_response("\r\n".join((f"HTTP/1.1 {status} X", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


def body(request: RequestHead, response: ResponseHead) -> ResponseBody:
    return ResponseBody(request, response, Limits())


def filled(data: bytes) -> ReadBuffer:
    source = ReadBuffer()
    source.fill(data)
    return source


# spec: F4; RFC 9112 section 6.3
@pytest.mark.parametrize(
    ("method", "status", "lines", "kind", "done"),
    [
        ("HEAD", 200, ("Content-Length: 5",), NONE, True),
        ("GET", 204, (), NONE, True),
        ("GET", 304, ("Content-Length: 5",), NONE, True),
        ("GET", 200, ("Transfer-Encoding: chunked",), CHUNKED, False),
        ("GET", 200, ("Content-Length: 5",), LENGTH, False),
        ("GET", 200, ("Content-Length: 0",), LENGTH, True),
        ("GET", 200, (), CLOSE, False),
    ],
)
def test_how_the_end_is_known(method: str, status: int, lines: tuple[str, ...], kind: int, done: bool) -> None:
    made = body(asked(method), answered(status, *lines))
    assert (made.kind, made.done) == (kind, done)


# spec: F4
@pytest.mark.parametrize(
    ("lines", "can_stream", "by_close"),
    [
        (("Content-Length: 5",), False, False),
        (("Transfer-Encoding: chunked",), False, True),
        ((), False, True),
        ((), True, False),
    ],
)
def test_where_only_the_end_of_the_connection_tells_the_client(
    lines: tuple[str, ...], can_stream: bool, by_close: bool
) -> None:
    client = FakeClient()
    client.can_stream = can_stream
    assert body(asked(), answered(200, *lines)).ends_by_close(client) is by_close


# spec: F4
def test_a_length_goes_on_in_pieces() -> None:
    client, made = FakeClient(), body(asked(), answered(200, "Content-Length: 5"))
    source = filled(b"abc")
    made.start(source, None, True)
    made.relay(source, client)
    assert (client.out, made.sent, made.done, client.trailers) == (b"abc", 3, False, None)
    source.fill(b"defg")
    made.relay(source, client)
    assert (client.out, made.sent, made.done, client.trailers) == (b"abcde", 5, True, b"")
    assert source.have == 2


# spec: F5
def test_what_is_no_chunk_is_an_error() -> None:
    made, source = body(asked(), answered(200, "Transfer-Encoding: chunked")), filled(b"no size\r\n")
    made.start(source, None, True)
    with pytest.raises(ProxyError):
        made.relay(source, FakeClient())


GZIP = ("Accept-Encoding: gzip",)
TEXT = ("Content-Type: text/plain",)


# spec: C1
@pytest.mark.parametrize(
    ("request_lines", "response_lines", "is_compressed"),
    [
        (GZIP, (*TEXT, "Content-Length: 100"), True),
        ((), (*TEXT, "Content-Length: 100"), False),
        (GZIP, ("Content-Type: image/png", "Content-Length: 100"), False),
        (GZIP, (*TEXT, "Content-Length: 9"), False),
        (GZIP, (*TEXT, "Content-Length: 100", "Content-Encoding: br"), False),
        (GZIP, (*TEXT, "Content-Length: 100", "Cache-Control: no-transform"), False),
        ((*GZIP, "Range: bytes=0-1"), (*TEXT, "Content-Length: 100"), False),
    ],
)
def test_what_is_compressed(
    request_lines: tuple[str, ...], response_lines: tuple[str, ...], is_compressed: bool
) -> None:
    client = FakeClient()
    made = body(asked("GET", *request_lines), answered(200, *response_lines))
    size = next(int(line.split()[1]) for line in response_lines if line.startswith("Content-Length"))
    source = filled(b"a" * size)
    lines = made.start(source, COMPRESSION, True)
    assert (b"Content-Encoding: gzip" in lines) is is_compressed
    if made.lacks_length:
        made.hold(lines, b"", True)
    made.relay(source, client)
    assert made.done
    assert (gzip.decompress(client.out) if is_compressed else client.out) == b"a" * size
    assert made.sent == len(client.out)


# spec: C3
def test_what_is_collected_can_be_sent_on_before_it_is_whole() -> None:
    client = FakeClient()
    made = body(asked("GET", *GZIP), answered(200, *TEXT, "Content-Length: 100"))
    source = filled(b"a" * 60)
    made.hold(made.start(source, COMPRESSION, True), b"", True)
    made.relay(source, client)
    assert (client.out, made.waiting, made.lagging) == (b"", True, True)
    made.flush(source, client)
    assert client.heads
    assert not made.waiting
    source.fill(b"a" * 40)
    made.relay(source, client)
    assert made.done
    assert gzip.decompress(client.out) == b"a" * 100


# spec: L5
def test_what_needs_an_encoder_goes_as_it_is_while_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_MOST", 0)
    request = asked("GET", "Accept-Encoding: gzip")
    streamed = answered(200, "Content-Type: text/plain", "Transfer-Encoding: chunked")
    head = body(request, streamed).start(filled(b""), COMPRESSION, True).lower()
    assert b"content-encoding" not in head
    assert b"vary: accept-encoding" in head
    whole = answered(200, "Content-Type: text/plain", "Content-Length: 20")
    assert b"content-encoding: gzip" in body(request, whole).start(filled(b"a" * 20), COMPRESSION, True).lower()
