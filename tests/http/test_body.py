"""Bodies as tables: bytes in, payload and end or refusal; each fed whole, byte by byte, and with more behind it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lb.errors import ProxyError
from lb.http.body import CHUNKED, CLOSE, LENGTH, NONE, Body
from lb.http.head import Limits

NEXT = b"GET /next HTTP/1.1\r\n"
BAD = "http_request_error"


@dataclass
class Fed:
    """What a body gave for its input: payload, bytes used, whether it has ended, trailers, the code of its refusal."""

    payload: bytes = b""
    used: int = 0
    done: bool = False
    trailers: bytes | None = None
    cause: str | None = None


def feed(body: Body, data: bytes, step: int) -> Fed:
    """Feed `data` in pieces of `step` bytes until the body wants no more."""
    fed = Fed()
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    try:
        for piece in pieces:
            payload, used = body.feed(bytearray(piece))
            fed.payload += payload
            fed.used += used
            if body.done:
                break
            assert used == len(piece), "a body that has not ended takes all there is"
    except ProxyError as error:
        fed.cause = error.cause.code
    fed.done = body.done
    fed.trailers = body.trailers
    return fed


def chunked(cap: int = -1, limits: Limits | None = None) -> Body:
    return Body(CHUNKED, 0, cap, limits or Limits())


# spec: F5 L1
CHUNKS: dict[str, tuple[bytes, bytes, bytes]] = {
    "nothing": (b"0\r\n\r\n", b"", b""),
    "one": (b"5\r\nhello\r\n0\r\n\r\n", b"hello", b""),
    "several": (b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", b"abcdef", b""),
    "hex in both cases": (b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a", b""),
    "leading zeros": (b"005\r\nhello\r\n000\r\n\r\n", b"hello", b""),
    "fifteen digits": (b"000000000000005\r\nhello\r\n0\r\n\r\n", b"hello", b""),
    "payload that looks like framing": (b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n\r\n", b""),
    "extensions": (b'5;a=b;c="d e; \\"\xff\t";e\r\nhello\r\n0;x\r\n\r\n', b"hello", b""),
    "blanks in extensions": (b'5; a =\tb ;c\t= "d" ; e\r\nhello\r\n0;x\r\n\r\n', b"hello", b""),
    "an empty quoted string": (b'5;a=""\r\nhello\r\n0\r\n\r\n', b"hello", b""),
    "trailers": (b"0\r\nX-Sum: 1\r\nx-b:\r\n\r\n", b"", b"X-Sum: 1\r\nx-b:\r\n"),
    "attack 15: trailers that must not be": (
        b"0\r\nContent-Length: 5\r\nA: b\r\nHost: x\r\nTransfer-Encoding: x\r\nX_Forwarded-For: x\r\nCookie: x\r\n\r\n",
        b"",
        b"A: b\r\n",
    ),
}


@pytest.mark.parametrize("name", CHUNKS)
@pytest.mark.parametrize("behind", [b"", NEXT, b"\r\n", b"\x00"])
def test_chunks(name: str, behind: bytes) -> None:
    data, payload, trailers = CHUNKS[name]
    for step in (len(data) + len(behind), 1, 2, 3, 7):
        body = chunked()
        assert feed(body, data + behind, step) == Fed(payload, len(data), True, trailers), f"in steps of {step}"
        assert body.total == len(payload)
        assert body.feed(bytearray(NEXT)) == (b"", 0), "what follows is not the body's"


# spec: F5
BROKEN: dict[str, tuple[bytes, str]] = {
    "attack 11: LF in an extension": (b"5;a\nhello\r\n0\r\n\r\n", BAD),
    "attack 11: CR in an extension": (b"5;a\rb\r\nhello\r\n0\r\n\r\n", BAD),
    "attack 11: two CR": (b"5\r\r;x\r\nhello\r\n", BAD),
    "attack 12: size ended by LF": (b"5\nhello\r\n0\r\n\r\n", BAD),
    "attack 12: LF behind the data": (b"5\r\nhello\n0\r\n\r\n", BAD),
    "attack 12: wrong bytes behind the data": (b"5\r\nhelloXX0\r\n\r\n", BAD),
    "attack 12: a byte behind the data that a reader may pass over": (b"5\r\nhelloX\r\n0\r\n\r\n", BAD),
    "attack 12: a byte between CR and LF": (b"5\r\nhello\rX\n0\r\n\r\n", BAD),
    "attack 12: CR and another": (b"5\r\nhello\rX0\r\n\r\n", BAD),
    "attack 13: 0x": (b"0x5\r\nhello\r\n0\r\n\r\n", BAD),
    "attack 13: underscore": (b"0_2e\r\n", BAD),
    "attack 13: negative": (b"-1\r\n", BAD),
    "attack 13: plus": (b"+5\r\nhello\r\n", BAD),
    "attack 13: sixteen digits": (b"0000000000000005\r\nhello\r\n", BAD),
    "attack 13: overflow": (b"fffffffffffffffff\r\n", BAD),
    "attack 13: leading blank": (b" 5\r\nhello\r\n", BAD),
    "blank before CR": (b"5 \r\nhello\r\n", BAD),
    "blank before an extension": (b"5 ;a\r\nhello\r\n", BAD),
    "no size": (b"\r\n", BAD),
    "an extension of nothing": (b";a\r\n", BAD),
    **{
        f"no extension: {extension!r}": (b"5" + extension + b"\r\nhello\r\n0\r\n\r\n", BAD)
        for extension in (
            b";",
            b"; ",
            b";;a",
            b";a;",
            b";a ",
            b";a=",
            b";a= ",
            b";a b",
            b";a=b c",
            b";=b",
            b";a=b=c",
            b";a[=b",
            b";\xff",
            b';a="b',
            b';a="b"c',
            b';a="b" ',
            b';a="b\\"',
            b';a=b"c"',
            b';"a"=b',
            b";a=,",
            b';a="b";c="d; ef',
        )
    },
    "control in an extension": (b"5;\x00\r\nhello\r\n", BAD),
    "DEL in an extension": (b"5;\x7f\r\nhello\r\n", BAD),
    "attack 14: a long extension": (b"5;" + b"a" * 4097 + b"\r\n", BAD),
    "attack 14: many extensions": (b"1;aaaaaaaa\r\nx\r\n" * 460, BAD),
    "trailer without a colon": (b"0\r\nX\r\n\r\n", BAD),
    "folded trailer": (b"0\r\nA: b\r\n c\r\n\r\n", BAD),
    "trailer ended by LF": (b"0\r\nA: b\n\r\n", BAD),
    "trailers ended by LF": (b"0\r\nA: b\r\n\n", BAD),
    "control in a trailer": (b"0\r\nA: \x00\r\n\r\n", BAD),
    "CR in a trailer": (b"0\r\nA: b\rc\r\n\r\n", BAD),
    "trailer name with a blank": (b"0\r\nA : b\r\n\r\n", BAD),
    "a long trailer": (b"0\r\nA: " + b"b" * 8192 + b"\r\n\r\n", "request_header_too_large"),
    "many trailers": (b"0\r\n" + b"a:\r\n" * 1001 + b"\r\n", "request_header_too_large"),
    "endless trailers": (b"0\r\n" + b"a: bcdef\r\n" * 7000, "request_header_too_large"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("behind", [b"", b"0\r\n\r\n" + NEXT])
def test_broken_chunks(name: str, behind: bytes) -> None:
    data, cause = BROKEN[name]
    for step in (len(data) + len(behind), 1, 2, 5):
        fed = feed(chunked(), data + behind, step)
        assert (fed.cause, fed.done) == (cause, False), f"in steps of {step}"


@pytest.mark.parametrize("step", [1, 3, 100])
def test_a_length_is_counted(step: int) -> None:
    assert feed(Body(LENGTH, 5, -1, Limits()), b"hello" + NEXT, step) == Fed(b"hello", 5, True)


def test_no_body_takes_nothing() -> None:
    for body in (Body(NONE, 0, -1, Limits()), Body(LENGTH, 0, -1, Limits())):
        assert body.done
        assert body.feed(bytearray(NEXT)) == (b"", 0)


def test_a_body_that_ends_with_the_connection_takes_everything() -> None:
    body = Body(CLOSE, 0, -1, Limits())
    assert feed(body, b"a" * 1000, 7) == Fed(b"a" * 1000, 1000, False)
    assert body.total == 1000


@pytest.mark.parametrize("step", [1, 4, 100])
def test_the_cap_is_on_payload(step: int) -> None:
    # spec: L2
    data = b"4;ext\r\nabcd\r\n2\r\nef\r\n0\r\nA: b\r\n\r\n"
    assert feed(chunked(cap=6), data, step).payload == b"abcdef"
    assert feed(chunked(cap=5), data, step).cause == "request_body_too_large"
    assert feed(chunked(cap=0), data, step).cause == "request_body_too_large"
    assert feed(chunked(cap=0), b"0\r\n\r\n", step).cause is None


def test_extensions_of_all_chunks_count_together() -> None:
    # Attack 14: CVE-2023-39326
    chunk = b"1;" + b"a" * 97 + b"\r\nx\r\n"  # the CR that ends an extension counts
    assert feed(chunked(), chunk * 41, 1000).cause is None
    assert feed(chunked(), chunk * 42, 1000).cause == BAD


@pytest.mark.parametrize("step", [1, 8, 1000])
def test_limits_of_trailers(step: int) -> None:
    # spec: L1
    limits = Limits(line=10, total=40, fields=2)
    for data, cause in (
        (b"0\r\nA: 4567890\r\nB: 1\r\n\r\n", None),
        (b"0\r\nA: 45678901\r\n\r\n", "request_header_too_large"),
        (b"0\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n", "request_header_too_large"),
        (b"0\r\nA: " + b"1" * 50, "request_header_too_large"),
    ):
        assert feed(chunked(limits=limits), data, step).cause == cause, data
