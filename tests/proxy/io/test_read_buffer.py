"""The unread bytes of a connection: heads and bodies in whatever pieces they come."""

from __future__ import annotations

import pytest

from lb.errors import ProxyError
from lb.http.body import CHUNKED, LENGTH, Body
from lb.http.head import Limits
from lb.proxy.io.read_buffer import ReadBuffer

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def buffer(*pieces: bytes) -> ReadBuffer:
    made = ReadBuffer()
    for piece in pieces:
        made.fill(piece)
    return made


def test_a_head_is_taken_and_the_rest_stays() -> None:
    filled = buffer(GET + b"rest")
    head = filled.scan_request(Limits())
    assert head is not None
    assert (head.target, filled.have, bytes(filled.view(4))) == (b"/", 4, b"rest")


# spec: F4
@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_head_in_pieces_is_the_same_head(size: int) -> None:
    filled = buffer()
    for at in range(0, len(GET), size):
        assert filled.scan_request(Limits()) is None or at == 0
        filled.fill(GET[at : at + size])
    head = filled.scan_request(Limits())
    assert head is not None
    assert (head.method, filled.have) == (b"GET", 0)


def test_two_heads_in_one_piece() -> None:
    filled = buffer(GET + GET[:10])
    assert filled.scan_request(Limits()) is not None
    assert filled.scan_request(Limits()) is None
    filled.fill(GET[10:])
    assert filled.scan_request(Limits()) is not None
    assert filled.have == 0


# spec: L1
def test_a_head_that_does_not_end_is_refused_at_the_limit() -> None:
    filled = buffer(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(9):
        filled.fill(b"y" * 100)
        assert filled.scan_request(Limits(total=1000)) is None
    filled.fill(b"y" * 100)
    with pytest.raises(ProxyError) as caught:
        filled.scan_request(Limits(total=1000))
    assert caught.value.cause.code == "request_header_too_large"


def test_a_response_is_read_the_same_way() -> None:
    filled = buffer(OK[:20])
    assert filled.scan_response(Limits()) is None
    filled.fill(OK[20:] + b"ok")
    head = filled.scan_response(Limits())
    assert head is not None
    assert (head.status, head.body_length, filled.have) == (200, 2, 2)


def test_a_body_is_made_ready_and_taken() -> None:
    filled = buffer(b"abcdef")
    body = Body(LENGTH, 4, -1, Limits())
    assert filled.read_body(body) == filled.ready == 4
    assert body.done
    assert filled.take_ready() == b"abcd"
    assert (filled.ready, filled.have) == (0, 2)


def test_a_chunked_body_leaves_what_is_behind_it() -> None:
    filled = buffer(b"3\r\nabc\r\n0\r\n\r\nGET")
    body = Body(CHUNKED, 0, -1, Limits())
    assert filled.read_body(body) == 3
    assert (filled.take_ready(), body.done, bytes(filled.view(filled.have))) == (b"abc", True, b"GET")


def test_as_much_as_there_is_or_all_of_it() -> None:
    filled = buffer(b"abc", b"def")
    assert (filled.read_up_to(4), filled.take_ready()) == (4, b"abcd")
    assert (filled.read_up_to(4), filled.take_ready()) == (2, b"ef")
    filled.fill(b"xyz")
    filled.drop(1)
    assert (filled.read_raw(), filled.take_ready(), filled.have) == (2, b"yz", 0)
    assert filled.take_ready() == b""
    filled.free_if_empty()
    filled.fill(b"again")
    assert filled.have == 5
