"""What instances may write loosely (F7): heads and chunks, what is read of them and what goes on, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest

from lb.http.body import CHUNKED, Body
from lb.http.head import Limits
from lb.http.scan import scan_request, scan_response
from tests.http.test_body import BROKEN, CHUNKS, NEXT, Fed, feed
from tests.http.ways import check_accepted, check_refused, outcome

OK = b"HTTP/1.1 200 OK\r\n"
GARBLED = "http_protocol_error"


def _response(data: bytes) -> Any:
    return scan_response(data, Limits())


def _head(*lines: bytes) -> bytes:
    return OK + b"".join(line + b"\r\n" for line in (*lines, b""))


# spec: F7; RFC 9112 sections 2.2, 5.1, 5.2, 6.3
READ: dict[str, tuple[bytes, bytes, int]] = {
    "a blank before the colon": (_head(b"X : a", b"Y\t \t: b"), b"X: a\r\nY: b\r\n", -1),
    "the same in what frames": (_head(b"Content-Length : 5"), b"Content-Length: 5\r\n", 5),
    "a fold": (_head(b"X: a ", b"  b\t", b"\tc", b"Y: d"), b"X: a b c\r\nY: d\r\n", -1),
    "a fold behind nothing": (_head(b"X:", b" a"), b"X: a\r\n", -1),
    "a folded length": (_head(b"Content-Length:", b" 5"), b"Content-Length: 5\r\n", 5),
    "the same length twice": (
        _head(b"A: a", b"Content-Length: 5", b"B: b", b"content-length: 5", b"C: c"),
        b"A: a\r\nContent-Length: 5\r\nB: b\r\nC: c\r\n",
        5,
    ),
    "the same length in a list": (_head(b"Content-Length: 5, 5 ,5"), b"Content-Length: 5\r\n", 5),
    "the same length in other digits": (
        _head(b"Content-Length: 05", b"Content-Length: 5"),
        b"Content-Length: 5\r\n",
        5,
    ),
    "leading zeros": (_head(b"Content-Length: 010"), b"Content-Length: 10\r\n", 10),
    "many leading zeros": (_head(b"Content-Length: " + b"0" * 30 + b"5"), b"Content-Length: 5\r\n", 5),
    "zeros": (_head(b"Content-Length: 000"), b"Content-Length: 0\r\n", 0),
    "lines that end with LF": (b"HTTP/1.1 200 OK\nContent-Length: 5\nX: a\n\n", b"Content-Length: 5\r\nX: a\r\n", 5),
    "no field and LF": (b"HTTP/1.1 200 OK\n\n", b"", -1),
    "all of it": (b"HTTP/1.1 200 OK\nContent-Length : 05\nX: a\n b\n\n", b"Content-Length: 5\r\nX: a b\r\n", 5),
}


@pytest.mark.parametrize("name", READ)
def test_loose_heads_go_on_as_strict_ones(name: str) -> None:
    data, fields, length = READ[name]
    check_accepted(_response, data, {"kept": OK + fields, "body_length": length, "length": len(data), "status": 200})
    assert outcome(_response, OK + fields + b"\r\n") is not None, "what goes on is read as it is"


def test_what_they_say_is_understood() -> None:
    # spec: F7
    head = _head(
        b"Transfer-Encoding:", b" chunked", b"Connection : close, X-Hop", b"X-Hop : 1", b"Content-Type : text/html"
    )
    check_accepted(_response, head, {"chunked": True, "keep_alive": False})
    read = _response(head)
    assert read.content_type() == b"text/html"
    assert read.kept == OK + b"Content-Type: text/html\r\n"


# spec: F5; F7: nothing ambiguous goes on
REFUSED: dict[str, bytes] = {
    "two lengths": _head(b"Content-Length: 5", b"Content-Length: 6"),
    "two lengths in a list": _head(b"Content-Length: 5, 6"),
    "an empty element": _head(b"Content-Length: 5,"),
    "a folded length of two": _head(b"Content-Length: 5", b" 6"),
    "no length and one": _head(b"Content-Length: ", b"Content-Length: 5"),
    "a length beyond measure, twice": _head(b"Content-Length: " + b"9" * 19, b"Content-Length: " + b"9" * 19),
    "the same length twice and chunks": _head(
        b"Content-Length: 5", b"Content-Length: 5", b"Transfer-Encoding: chunked"
    ),
    "a length and chunks behind a blank": _head(b"Content-Length: 5", b"Transfer-Encoding : chunked"),
    "chunks twice": _head(b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked"),
    "chunks, and another coding in the fold": _head(b"Transfer-Encoding: chunked", b" , gzip"),
    "a fold that may be the empty line": _head(b"X: a", b" ", b"Set-Cookie: b"),
    "a fold of nothing": _head(b" X: a"),
    "a blank in a name": _head(b"X Y : a"),
    "a blank alone before the colon": _head(b" : a"),
    "LF among CR LF": OK + b"X: a\nSet-Cookie: b\r\n\r\n",
    "LF behind the status line only": b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
    "LF at the end only": OK + b"A: b\r\n\n",
    "CR LF at the end only": b"HTTP/1.1 200 OK\nA: b\n\r\n",
    "CR in a line that ends with LF": b"HTTP/1.1 200 OK\nA: b\rc\n\n",
    "NUL": b"HTTP/1.1 200 OK\nA: b\x00\n\n",
    "another protocol": b"SSH-2.0-x\n\n",
    "no colon": b"HTTP/1.1 200 OK\nA\n\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_mean_two_things_is_refused(name: str) -> None:
    check_refused(_response, REFUSED[name], GARBLED)


@pytest.mark.parametrize("name", READ)
def test_clients_may_not_write_so(name: str) -> None:
    # spec: F5: a request of these lines is refused, or its length goes on as it was understood
    data = READ[name][0].replace(b"HTTP/1.1 200 OK", b"POST / HTTP/1.1\r\nHost: a", 1)
    head = outcome(lambda data: scan_request(data, Limits()), data)
    if "zeros" in name:
        assert head.kept.endswith(b"Content-Length: %d\r\n" % head.body_length)
    else:
        assert head == "http_request_error"


def test_loose_heads_are_bounded() -> None:
    # spec: L1
    limits = Limits(total=200, fields=3)
    large = "http_response_header_section_size"
    for data in (
        b"HTTP/1.1 200 OK\n" + b"A: b\n" * 50,
        b"HTTP/1.1 200 OK\n" + b"A: b\n" * 50 + b"\n",
        b"HTTP/1.1 200 OK\n" + b"A: b\n" * 4 + b"\n",
        b"HTTP/1.1 200 OK\nA: " + b"b" * 300,
        OK + b"A : b\r\n B" * 50,
    ):
        assert outcome(lambda data: scan_response(data, limits), data) == large


# Chunks


def loose(cap: int = -1, limits: Limits | None = None) -> Body:
    return Body(CHUNKED, 0, cap, limits or Limits(), True)


# spec: F7; RFC 9112 section 7.1
LOOSE_CHUNKS: dict[str, tuple[bytes, bytes]] = {
    "blanks behind a size": (b"5  \r\nhello\r\n0\r\n\r\n", b""),
    "blanks behind the last size": (b"5\r\nhello\r\n0 \t \r\n\r\n", b""),
    "blanks before an extension": (b"5 ;a=b\r\nhello\r\n0\t;c\r\n\r\n", b""),
    "any extension": (b'5; a b="c;\xff\r\nhello\r\n0;\r\n\r\n', b""),
    "sixteen digits": (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b""),
    "a thousand zeros": (b"0" * 1000 + b"5\r\nhello\r\n" + b"0" * 1000 + b"\r\n\r\n", b""),
    "a blank before a trailer's colon": (b"5\r\nhello\r\n0\r\nA : b\r\n\r\n", b"A: b\r\n"),
    "a folded trailer": (b"5\r\nhello\r\n0\r\nA: b\r\n\tc\r\nB: d\r\n\r\n", b"A: b c\r\nB: d\r\n"),
    "a trailer that may not be": (b"5\r\nhello\r\n0\r\nContent-Length : 5\r\nA: b\r\n\r\n", b"A: b\r\n"),
}


@pytest.mark.parametrize("name", LOOSE_CHUNKS)
@pytest.mark.parametrize("behind", [b"", NEXT])
def test_loose_chunks(name: str, behind: bytes) -> None:
    data, trailers = LOOSE_CHUNKS[name]
    for step in (len(data) + len(behind), 1, 2, 7):
        assert feed(loose(), data + behind, step) == Fed(b"hello", len(data), True, trailers), f"in steps of {step}"


@pytest.mark.parametrize("name", [name for name in LOOSE_CHUNKS if "trailer that" not in name])
def test_no_client_may_send_such_chunks(name: str) -> None:
    # spec: F5
    data, _ = LOOSE_CHUNKS[name]
    assert feed(Body(CHUNKED, 0, -1, Limits()), data, len(data)).cause == "http_request_error"


@pytest.mark.parametrize("name", CHUNKS)
def test_strict_chunks_are_read_the_same(name: str) -> None:
    data, payload, trailers = CHUNKS[name]
    assert feed(loose(), data, 3) == Fed(payload, len(data), True, trailers)


_ALLOWED = ("sixteen", "blank before", "no extension", "many extensions", "folded trailer", "trailer name with")


@pytest.mark.parametrize("name", [name for name in BROKEN if not any(words in name for words in _ALLOWED)])
def test_what_is_no_chunk_is_none_of_an_instance(name: str) -> None:
    # spec: F5
    data, cause = BROKEN[name]
    for step in (len(data), 1):
        fed = feed(loose(), data, step)
        assert (fed.cause, fed.done) == (cause, False)


@pytest.mark.parametrize(
    "data",
    [
        b"5 5\r\nhello\r\n0\r\n\r\n",
        b"5 a\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \nhello\r\n0\r\n\r\n",
        b"5 \r\r\nhello\r\n0\r\n\r\n",
        b"1000000000000000\r\n",
        b"01000000000000000\r\n",
        b"0" * 5000 + b"5\r\n",
        b"5" + b" " * 5000 + b"\r\n",
        b"0\r\n A: b\r\n\r\n",
        b"0\r\nA: b\r\n \r\nB: c\r\n\r\n",
        b"0\r\nA: b\nB: c\r\n\r\n",
    ],
)
def test_loose_is_not_all(data: bytes) -> None:
    # spec: F5
    for step in (len(data), 1):
        assert feed(loose(), data, step).cause == "http_request_error"


def test_padding_is_bounded_for_each_chunk_and_not_for_a_response() -> None:
    # spec: F7: servers that pad pad every chunk
    body = loose()
    data = b"00000001      ;name=value\r\nx\r\n" * 2000
    assert feed(body, data + b"0\r\n\r\n", 1000) == Fed(b"x" * 2000, len(data) + 5, True, b"")
