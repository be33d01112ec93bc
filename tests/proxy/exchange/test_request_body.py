"""A request's body on its way: counted, bounded, and kept while it may have to be sent again."""

from __future__ import annotations

from typing import cast

import pytest

from lb.errors import ProxyError
from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from lb.proxy.exchange.request_body import RequestBody
from lb.proxy.io.read_buffer import ReadBuffer
from lb.proxy.upstream.connection import Upstream
from tests.proxy.exchange.fakes import FakeUpstream, Stage, staged

CAP = 100_000


def read(framing: str) -> RequestHead:
    head = scan_request(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode(), Limits())
    assert head is not None
    return head


def sent(stage: Stage, body: RequestBody, *pieces: bytes, idempotent: bool = False, chunked: bool = False) -> bytes:
    """What goes to an instance of these pieces, each as it comes."""
    upstream = FakeUpstream(stage.engine, stage.environment.instances[0])
    upstream.begin(b"", chunked)
    source = ReadBuffer()
    for piece in pieces:
        source.fill(piece)
        body.send(source, cast("Upstream", upstream), idempotent)
    return upstream.sent


# spec: F4
def test_a_length_is_what_is_taken_and_what_is_behind_it_stays() -> None:
    with staged() as stage:
        body = RequestBody(read("Content-Length: 5"), CAP, Limits())
        assert sent(stage, body, b"ab", b"cdeGET") == b"abcde"
        assert (body.received, body.done) == (5, True)


# spec: F4
def test_chunks_are_made_anew_and_trailers_kept() -> None:
    with staged() as stage:
        body = RequestBody(read("Transfer-Encoding: chunked"), CAP, Limits())
        out = sent(stage, body, b"2\r\nab\r\n1\r\nc", b"\r\n0\r\nSum: 1\r\n\r\n", chunked=True)
        assert out == b"3\r\nabc\r\n0\r\nSum: 1\r\n\r\n"
        assert (body.received, body.done) == (3, True)


# spec: L2
def test_what_says_it_is_too_large_is_refused_at_once() -> None:
    RequestBody(read("Content-Length: 10"), 10, Limits())
    with pytest.raises(ProxyError) as caught:
        RequestBody(read("Content-Length: 11"), 10, Limits())
    assert caught.value.cause.code == "request_body_too_large"


# spec: L2
def test_what_turns_out_too_large_is_refused_then() -> None:
    with staged() as stage:
        body = RequestBody(read("Transfer-Encoding: chunked"), 3, Limits())
        with pytest.raises(ProxyError) as caught:
            sent(stage, body, b"2\r\nab\r\n", b"2\r\ncd\r\n", chunked=True)
        assert caught.value.cause.code == "request_body_too_large"


# spec: F2
@pytest.mark.parametrize(
    ("framing", "pieces", "idempotent", "repeatable"),
    [
        ("Content-Length: 4", (b"body",), True, True),
        ("Content-Length: 4", (b"bo", b"dy"), True, False),  # some of it has gone and was not kept
        ("Content-Length: 4", (b"body",), False, False),
        ("Content-Length: 70000", (b"x" * 70_000,), True, False),
        ("Transfer-Encoding: chunked", (b"4\r\nbody\r\n0\r\n\r\n",), True, False),
    ],
)
def test_what_can_be_sent_once_more(
    framing: str, pieces: tuple[bytes, ...], idempotent: bool, repeatable: bool
) -> None:
    with staged() as stage:
        body = RequestBody(read(framing), CAP, Limits())
        first = sent(stage, body, *pieces, idempotent=idempotent)
        assert body.repeatable() is repeatable
        if repeatable:
            assert sent(stage, body, b"", idempotent=idempotent) == first
            assert body.received == len(first)  # counted once
