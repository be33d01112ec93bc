"""How HTTP/1.1 requests have been abused, as bytes and what must come of them. Data only; test_attacks.py runs it.

REFUSED must be answered with one of the statuses, the connection closed, and nothing of it completed at an instance.
ACCEPTED must reach the instance as exactly one request of the given body length. Numbers are of the attack classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HOST = b"Host: shop.example.com"
CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Refused:
    name: str
    data: bytes
    statuses: frozenset[int] = frozenset({400})


@dataclass(frozen=True, slots=True)
class Accepted:
    name: str
    data: bytes
    length: int
    target: str = "/attack"


def _get(*lines: bytes, first: bytes = b"GET /attack HTTP/1.1", host: bytes = HOST) -> bytes:
    return b"\r\n".join([first, *([host] if host else []), *lines]) + b"\r\n\r\n"


def _post(*lines: bytes, body: bytes = b"") -> bytes:
    return _get(*lines, first=b"POST /attack HTTP/1.1") + body


def _named(prefix: str, values: tuple[bytes, ...]) -> Iterator[tuple[str, bytes]]:
    for value in values:
        shown = repr(value[:24])[2:-1]
        yield f"{prefix} {shown}", value


def _framing() -> Iterator[Refused]:
    # Classes 1 and 7: two ways to know where the body ends.
    yield Refused("CL.TE", _post(b"Content-Length: 6", CHUNKED, body=b"0\r\n\r\nX"))
    yield Refused("TE.CL", _post(CHUNKED, b"Content-Length: 6", body=b"0\r\n\r\nX"))
    yield Refused("CL.TE that agree", _post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"))
    yield Refused("CL.TE obscured", _post(b"Content-Length: 5", b"Transfer-Encoding: x", body=b"0\r\n\r\n"))
    nominated = _post(b"Connection: Transfer-Encoding", b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n")
    yield Refused("CL.TE with Connection", nominated)
    # Class 2: a Transfer-Encoding that some read as chunked and some do not.
    codings = (
        b"\x0bchunked", b"chunked\x0b", b"\x00chunked", b",chunked", b"chunked,", b"chunked, identity", b"identity",
        b"identity, chunked", b"chunked, chunked", b"gzip, chunked", b"gzip", b'"chunked"', b"'chunked'", b"xchunked",
        b"chunkedx", b"chunked;a=b", b"chunked;", b"chunked x", b"", b"chun ked", b"chunke\xe4", b"chunked\xa0",
    )  # fmt: skip
    for name, value in _named("TE", codings):
        yield Refused(name, _post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n"), frozenset({400, 501}))
    for name, line in _named(
        "TE line",
        (
            CHUNKED + b"\r\n" + CHUNKED,
            b"Transfer-Encoding: identity\r\n" + CHUNKED,
            CHUNKED + b"\r\nTransfer-Encoding: identity",
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding\t: chunked",
            b"Transfer-Encoding:\r\n chunked",
            b"X: y\r\n Transfer-Encoding: chunked",
            b"X: y\nTransfer-Encoding: chunked",
            b"X: y\rTransfer-Encoding: chunked",
            b"\x00Transfer-Encoding: chunked",
            b"Transfer-Encoding\x00: chunked",
        ),
    ):
        yield Refused(name, _post(line, body=b"0\r\n\r\n"), frozenset({400, 501}))
    # Class 8: HTTP/1.0 knows no chunks.
    for body in (b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"):
        first = b"POST /attack HTTP/1.0"
        yield Refused(f"TE in 1.0, {len(body)}", _get(CHUNKED, first=first) + body, frozenset({400, 501}))


def _lengths() -> Iterator[Refused]:
    # Classes 5 and 9: lengths that are not one plain number.
    values = (
        b"5,10", b"5, 5", b"5,", b"+5", b"-5", b"-0", b"0x5", b"1_0", b"5 5", b"5.0", b"5e0", b"", b"five", b"\xb2",
        b"18446744073709551616", b"18446744073709551621", b"9" * 40, b"5;", b"5\x00", b"5\x0b", b'"5"',
    )  # fmt: skip
    for name, value in _named("CL", values):
        yield Refused(name, _post(b"Content-Length: " + value, body=b"hello"), frozenset({400, 413}))
    for name, line in _named(
        "CL line",
        (
            b"Content-Length: 5\r\nContent-Length: 6",
            b"Content-Length: 5\r\nContent-Length: 5",
            b"Content-Length: 0\r\ncontent-length: 5",
            b"Content-Length : 5",
            b"Content-Length\t: 5",
            b" Content-Length: 5",
            b"Content-Length:\r\n 5",
            b"Content-Length: 1\r\n 0",
            b"X: y\nContent-Length: 5",
            b"Content-Length: 5\nX: y",
            b"Content-Length",
        ),
    ):
        yield Refused(name, _post(line, body=b"hello"))


def _chunks() -> Iterator[Refused]:
    # Classes 11 to 14: chunk sizes, extensions and line ends.
    end = b"0\r\n\r\n"
    bodies = (
        b"0x5\r\nhello\r\n" + end, b"0_5\r\nhello\r\n" + end, b"-5\r\nhello\r\n" + end, b"+5\r\nhello\r\n" + end,
        b" 5\r\nhello\r\n" + end, b"\t5\r\nhello\r\n" + end, b"\r\n5\r\nhello\r\n" + end, b"\r\n" + end,
        b";a\r\n" + end,
        b"00000000000000005\r\nhello\r\n" + end, b"10000000000000005\r\nhello\r\n" + end, b"5g\r\nhello\r\n" + end,
        b"5 5\r\nhello\r\n" + end, b"5h\r\nhello\r\n" + end, b"\xb5\r\nhello\r\n" + end, b"5\x00\r\nhello\r\n" + end,
        b"5\nhello\r\n" + end, b"5\r\nhello\n" + end, b"5\r\nhelloXX" + end, b"5\r\nhello\r" + end,
        b"5\r\nhello" + end, b"5\r\nhello\n\r" + end, b"5\rhello\r\n" + end, b"5\r\r\nhello\r\n" + end,
        b"5;a\nhello\r\n" + end, b"5\r\r;x\r\nhello\r\n" + end, b"5;a\rb\r\nhello\r\n" + end,
        b"5;a\x00\r\nhello\r\n" + end, b"5;a\r\r\nhello\r\n" + end, b"5;\nhello\r\n" + end,
        b"5\r\nhello\r\n0\n\r\n", b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\r\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\rX: y\r\n\r\n",
    )  # fmt: skip
    for name, body in _named("chunks", bodies):
        yield Refused(name, _post(CHUNKED, body=body))
    endless = b"5;" + b"a" * 70_000 + b"\r\nhello\r\n" + end
    yield Refused("64 KB of chunk extension", _post(CHUNKED, body=endless), frozenset({400, 413, 431}))
    # Class 15 and 16: trailers are fields, and as strictly read.
    trailers = (
        b"X : y", b" X: y", b"X", b": y", b"X: \x00", b"X\x01: y", b"X: y\n", b"X: a\rb", b"X: y\r\n folded", b"\x7f: y"
    )  # fmt: skip
    for name, trailer in _named("trailer", trailers):
        yield Refused(name, _post(CHUNKED, body=b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n\r\n"))


def _lines() -> Iterator[Refused]:
    # Classes 16 to 18: ends of lines, folded lines, and what may not stand in a name or value.
    whole = (
        b"GET /attack HTTP/1.1\nHost: shop.example.com\n\n",
        b"GET /attack HTTP/1.1\r\nHost: shop.example.com\n\r\n",
        b"GET /attack HTTP/1.1\nHost: shop.example.com\r\n\r\n",
        b"GET /attack HTTP/1.1\r\nHost: shop.example.com\r\n\n",
        b"GET /attack HTTP/1.1\r\nHost: shop.example.com\r\n\rX: y\r\n\r\n",
        b"GET /attack HTTP/1.1\rHost: shop.example.com\r\r\r\n\r\n",
        b"GET /attack HTTP/1.1\r\nHost: shop.example.com\r\r\n\r\n",
        b"GET /attack HTTP/1.1\r\r\nHost: shop.example.com\r\n\r\n",
        b"GET /attack HTTP/1.1\r\n Host: shop.example.com\r\n\r\n",
        b"GET /attack HTTP/1.1\r\n\tX: y\r\nHost: shop.example.com\r\n\r\n",
        b"\nGET /attack HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"\rGET /attack HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
    )
    for number, data in enumerate(whole):
        yield Refused(f"line ends {number}", data)
    for name, line in _named(
        "line",
        (
            b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\r\n \r\n b", b"X:\r\n ", b"X : v", b"X\t: v", b": v", b" : v", b"X",
            b"X Y: v", b"X(): v", b"X,Y: v", b"X/Y: v", b"X;: v", b"X@: v", b'"X": v', b"{X}: v", b"X\xe9: v",
            b"X\x00: v", b"X\x1f: v", b"X\x7f: v", b"X: \x00", b"X: a\x01b", b"X: \x08", b"X: \x0b", b"X: \x0c",
            b"X: \x1b[0m", b"X: \x1f", b"X: \x7f", b"X: a\rb", b"X: a\nb: c", b"X: a\r",
        ),
    ):  # fmt: skip
        yield Refused(name, _get(line))


def _request_lines() -> Iterator[Refused]:
    lines = (
        b"GET", b"GET ", b"GET /attack", b"/attack HTTP/1.1", b" GET /attack HTTP/1.1", b"GET  /attack HTTP/1.1",
        b"GET /attack  HTTP/1.1", b"GET /attack HTTP/1.1 ", b"GET\t/attack HTTP/1.1", b"GET /attack\tHTTP/1.1",
        b"GET /attack HTTP/1.1\t", b"GET /attack x HTTP/1.1", b"GET /attack http/1.1", b"GET /attack HTTP/1.1x",
        b"GET /attack HTTP/1.", b"GET /attack HTTP/.1", b"GET /attack HTTP/11", b"GET /attack HTTP/1.10",
        b"GET /attack HTTP /1.1", b"GET /attack HTTP/1,1", b"GET /attack HTP/1.1", b"GET /attack HTTPS/1.1",
        b"GET /attack HTTP/\xb1.1", b"G\x00T /attack HTTP/1.1", b"G<T /attack HTTP/1.1", b"GET: /attack HTTP/1.1",
        b"G\xcbT /attack HTTP/1.1", b"(GET) /attack HTTP/1.1", b"GET /att\x00ack HTTP/1.1", b"GET /a\x0bb HTTP/1.1",
        b"GET /a\x7fb HTTP/1.1", b"GET /a\rb HTTP/1.1", b"GET /a#b HTTP/1.1", b"GET #a HTTP/1.1", b"GET a HTTP/1.1",
        b"GET ?a HTTP/1.1", b"GET * HTTP/1.1", b"GET \\a HTTP/1.1", b"GET shop.example.com HTTP/1.1",
        b"GET shop.example.com:80 HTTP/1.1", b"GET  HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 20, b"SSH-2.0-x", b"EHLO x",
    )  # fmt: skip
    for name, line in _named("request line", lines):
        yield Refused(name, _get(first=line))
    for version in (b"2.0", b"1.2", b"1.9", b"0.9", b"3.0", b"2.1", b"9.9"):
        data = _get(first=b"GET /attack HTTP/" + version)
        yield Refused(f"HTTP/{version.decode()}", data, frozenset({505}))
    yield Refused("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frozenset({400, 505}))
    yield Refused("HTTP/0.9", b"GET /attack\r\n\r\n")
    yield Refused("40 KB of method", _get(first=b"M" * 40_000 + b" /attack HTTP/1.1"), frozenset({400, 414, 501}))


def _hosts() -> Iterator[Refused]:
    # Class 23: one authority or none.
    for name, lines in _named(
        "host",
        (
            b"", b"Host: shop.example.com\r\nHost: shop.example.com", b"Host: shop.example.com\r\nhost: evil.example",
            b"Host: evil@shop.example.com", b"Host: shop.example.com@evil", b"Host: shop.example.com/x",
            b"Host: shop.example.com, evil.example", b"Host: shop.example.com evil", b"Host: shop.example.com:abc",
            b"Host: shop.example.com:80:80", b"Host: shop.example.com:99999", b"Host: shop.example.com:-1",
            b"Host: shop.example.com#", b"Host: shop.example.com?", b"Host: shop.example.com\\x", b"Host: [::1",
            b"Host: ::1]", b"Host: [::1]x", b"Host: <script>", b"Host: a\x00b", b"Host: shop.example.com\x0b",
            b"Host : shop.example.com", b"Host:\r\n shop.example.com", b"X: y\r\n Host: shop.example.com",
            b"Host: http://shop.example.com", b"Host: shop.example.com:80@evil.example", b"Host: \xe4.example",
        ),
    ):  # fmt: skip
        yield Refused(name, _get(host=lines))
    for name, target in _named(
        "absolute",
        (
            b"http://evil.example/attack", b"http://shop.example.com@evil.example/attack", b"http:///attack",
            b"http://evil@shop.example.com/attack", b"http:/attack", b"http:shop.example.com", b"ftp://shop.example.com/",
            b"http://shop.example.com:81/attack", b"http://shop.example.com#a", b"http://", b"javascript:alert(1)",
            b"http://shop.example.com\\@evil.example/", b"http://[::1/attack", b"http://shop.example.com:x/attack",
        ),
    ):  # fmt: skip
        yield Refused(name, _get(first=b"GET " + target + b" HTTP/1.1"))


REFUSED: tuple[Refused, ...] = (*_framing(), *_lengths(), *_chunks(), *_lines(), *_request_lines(), *_hosts())

_SIZE = b"Content-Length: %d" % len(SMUGGLED)
_AS_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
_HELLO = b"5\r\nhello\r\n0\r\n\r\n"
_EXTENDED = b"".join(b"1;" + b"e" * 50 + b"\r\nx\r\n" for _ in range(50)) + b"0\r\n\r\n"

ACCEPTED: tuple[Accepted, ...] = (
    # Class 3: any method may have a body, and it is a body.
    Accepted("TE.0", _get(CHUNKED, first=b"OPTIONS /attack HTTP/1.1") + _AS_CHUNK, len(SMUGGLED)),
    # Class 4
    Accepted("CL.0 GET", _get(_SIZE) + SMUGGLED, len(SMUGGLED)),
    Accepted("CL.0 DELETE", _get(_SIZE, first=b"DELETE /attack HTTP/1.1") + SMUGGLED, len(SMUGGLED)),
    Accepted("leading zeros", _post(b"Content-Length: 0005", body=b"hello"), 5),
    # Class 7: Connection names what frames the message.
    Accepted("Connection: length", _post(b"Connection: Content-Length", b"Content-Length: 5", body=b"hello"), 5),
    Accepted("Connection: Transfer-Encoding", _post(b"Connection: Transfer-Encoding", CHUNKED, body=_HELLO), 5),
    Accepted("Connection: Host", _get(b"Connection: Host"), 0),
    # Class 10: long names are bounded by the line.
    Accepted("300 bytes of name", _get(b"X" * 300 + b": y"), 0),
    # Class 14: extensions that are legal cost nothing further on.
    Accepted("1-byte chunks with extensions", _post(CHUNKED, body=_EXTENDED), 50),
    # Class 25: the path that we decide on is the path that the instance sees.
    Accepted("dots", _get(first=b"GET /a/%2e%2e/x HTTP/1.1"), 0, "/a/%2e%2e/x"),
    Accepted("slashes", _get(first=b"GET //evil.example/x HTTP/1.1"), 0, "//evil.example/x"),
    Accepted("encoded CRLF", _get(first=b"GET /a%0d%0aX:y HTTP/1.1"), 0, "/a%0d%0aX:y"),
    Accepted("dot segments", _get(first=b"GET /a/../b HTTP/1.1"), 0, "/a/../b"),
)  # fmt: skip
