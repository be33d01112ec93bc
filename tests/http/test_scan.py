"""Heads as tables: bytes in, what they say or their refusal; each read whole, byte by byte, and with more behind it."""

from __future__ import annotations

from typing import Any

import pytest

from lb.http.head import Limits
from lb.http.scan import scan_request, scan_response
from tests.http.ways import check_accepted, check_refused, outcome

BAD = "http_request_error"
LARGE = "request_header_too_large"
GARBLED = "http_protocol_error"


def _request(data: bytes) -> Any:
    return scan_request(data, Limits())


def _response(data: bytes) -> Any:
    return scan_response(data, Limits())


def _with(*lines: bytes) -> bytes:
    """A request of these field lines behind Host."""
    return b"".join(line + b"\r\n" for line in (b"GET / HTTP/1.1", b"Host: a", *lines, b""))


def _answer(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (b"HTTP/1.1 200 OK", *lines, b""))


_KEPT = b"GET / HTTP/1.1\r\nHost: a\r\n"

# spec: H3 H4 H6 F5
REQUESTS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "the least": (
        _with(),
        {
            "method": b"GET",
            "target": b"/",
            "host": b"a",
            "minor": 1,
            "body_length": -1,
            "chunked": False,
            "keep_alive": True,
            "upgrade": None,
            "odd_path": False,
            "kept": _KEPT,
            "length": len(_with()),
        },
    ),
    "fields go on byte for byte and in order": (
        _with(b"X-b:1", b"x-B:  two \t", b"Cookie: \xe9\xff", b"X-Empty:", b"x-b: 3"),
        {"kept": _KEPT + b"X-b:1\r\nx-B:  two \t\r\nCookie: \xe9\xff\r\nX-Empty:\r\nx-b: 3\r\n"},
    ),
    "what is read goes on, too": (
        _with(b"Accept: a", b"Accept-Encoding: b", b"Range: c", b"Referer: d", b"User-Agent: e", b"X-Request-Id: f"),
        {
            "ranged": True,
            "request_id": b"f",
            "kept": _KEPT
            + b"Accept: a\r\nAccept-Encoding: b\r\nRange: c\r\nReferer: d\r\nUser-Agent: e\r\nX-Request-Id: f\r\n",
        },
    ),
    "HTTP/1.0 goes on as 1.1": (
        b"HEAD /a HTTP/1.0\r\n\r\n",
        {"minor": 0, "host": b"", "keep_alive": False, "kept": b"HEAD /a HTTP/1.1\r\nHost:\r\n"},
    ),
    "HTTP/1.0 with keep-alive": (
        b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: a\r\n\r\n",
        {"keep_alive": True, "kept": _KEPT},
    ),
    "HTTP/1.0 expects in vain": (
        b"PUT / HTTP/1.0\r\nExpect: x\r\nHost: a\r\n\r\n",
        {"expect": False, "kept": b"PUT / HTTP/1.1\r\nHost: a\r\n"},
    ),
    "empty lines before the request line": (b"\r\n\r\n\r\n\r\n" + _with(), {"kept": _KEPT, "length": 8 + len(_with())}),
    "places count without the empty lines": (
        b"\r\n\r\n" + _with(b"Connection: close", b"Accept: \t text/html "),
        {"accept_at": len(_KEPT) + 10, "accept_size": 9, "keep_alive": False},
    ),
    "close beats keep-alive": (_with(b"Connection: keep-alive, CLOSE"), {"keep_alive": False, "kept": _KEPT}),
    "what Connection names goes": (
        _with(b"X-One: 1", b"connection: , x-one ,,te", b"X-Two: 2", b"Connection: X-TWO", b"Accept: */*"),
        {"kept": _KEPT + b"Accept: */*\r\n", "accept_at": len(_KEPT) + 8, "accept_size": 3},
    ),
    "Connection cannot take away what protects": (
        _with(b"Connection: Host, Content-Length, Authorization, Cookie", b"Content-Length: 0", b"Cookie: c"),
        {"kept": _KEPT + b"Content-Length: 0\r\nCookie: c\r\n", "body_length": 0},
    ),
    "hop-by-hop fields": (
        _with(
            b"TE: trailers", b"Keep-Alive: 5", b"Proxy-Connection: x", b"Proxy-Authorization: x", b"Proxy: x", b"A: b"
        ),
        {"kept": _KEPT + b"A: b\r\n"},
    ),
    "who the client is": (
        _with(
            b"X-Forwarded-For: 1.1.1.1",
            b"x-forwarded-for: 2.2.2.2",
            b"X-Forwarded-Proto: https",
            b"X-Forwarded-Whatever: 1",
            b"Forwarded: for=1.1.1.1",
            b"X-Real-IP: 1.1.1.1",
            b"Client-Cert: :AA==:",
        ),
        {"kept": _KEPT, "forwarded_for": b"1.1.1.1, 2.2.2.2", "forwarded_proto": b"https"},
    ),
    "the same with underscores": (
        _with(b"X_Forwarded_For: 1", b"X-Forwarded_Host: 1", b"x_real_IP: 1", b"Content_Length: 5", b"X_Other: 1"),
        {"kept": _KEPT + b"X_Other: 1\r\n", "forwarded_for": None, "body_length": -1},
    ),
    "near misses stay": (
        _with(b"X-Forwardedfor: 1", b"Xforwarded-for: 1", b"Hosts: b", b"Hos: b", b"Tea: 1"),
        {"kept": _KEPT + b"X-Forwardedfor: 1\r\nXforwarded-for: 1\r\nHosts: b\r\nHos: b\r\nTea: 1\r\n"},
    ),
    "a length": (_with(b"Content-Length: \t7 "), {"body_length": 7, "kept": _KEPT + b"Content-Length: \t7 \r\n"}),
    "leading zeros do not go on": (
        _with(b"Content-Length: 010", b"A: b"),
        {"body_length": 10, "kept": _KEPT + b"A: b\r\nContent-Length: 10\r\n"},
    ),
    "zeros alone": (_with(b"Content-Length: 00"), {"body_length": 0, "kept": _KEPT + b"Content-Length: 0\r\n"}),
    "leading zeros without measure": (_with(b"Content-Length: " + b"0" * 40 + b"5"), {"body_length": 5}),
    "the longest length": (_with(b"Content-Length: 999999999999999999"), {"body_length": 10**18 - 1}),
    "a longer one": (_with(b"Content-Length: 18446744073709551616"), {"body_length": 1 << 62}),
    "chunks": (_with(b"Transfer-Encoding: Chunked"), {"chunked": True, "body_length": -1, "kept": _KEPT}),
    "an expectation": (
        _with(b"Expect: 100-Continue"),
        {"expect": True, "kept": _KEPT + b"Expect: 100-Continue\r\n"},
    ),
    "an upgrade": (
        _with(b"Upgrade: websocket", b"Connection: Upgrade", b"upgrade: x"),
        {"upgrade": b"websocket, x", "kept": _KEPT},
    ),
    "an upgrade that Connection does not name": (_with(b"Upgrade: websocket"), {"upgrade": None, "kept": _KEPT}),
    "no upgrade of HTTP/1.0": (
        b"GET / HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        {"upgrade": None},
    ),
    "passes": (_with(b"Via: 1.1 lb, 1.0 fred, 1.1 LB (x)", b"Via: 1.1 lb", b"Via: lb"), {"passes": 3}),
    "a request id": (_with(b"X-Request-Id: abc/1", b"X-Request-Id: other"), {"request_id": b"abc/1"}),
    "a request id that is none": (_with(b'X-Request-Id: a"b'), {"request_id": None, "kept": _KEPT}),
    "a range": (_with(b"Range: bytes=0-1"), {"ranged": True}),
    "absolute form": (
        b"GET HTTP://A:80/x?y HTTP/1.1\r\nHost: a:80\r\nUser-Agent: me\r\n\r\n",
        {
            "target": b"/x?y",
            "odd_path": True,
            "kept": b"GET /x?y HTTP/1.1\r\nHost: a:80\r\nUser-Agent: me\r\n",
            "agent_at": 43,
            "agent_size": 2,
        },
    ),
    "absolute form without a path": (b"GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"/?q"}),
    "asterisk form": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"*", "odd_path": False}),
    "bytes beyond ASCII in a target": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", {"target": b"/\xc3\xa9"}),
    "hosts": (b"GET / HTTP/1.1\r\nHost: [::1]:65535\r\n\r\n", {"host": b"[::1]:65535"}),
    "an empty host of HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: \r\n\r\n", {"host": b""}),
    "any method": (b"M-SEARCH /a HTTP/1.1\r\nHost: a\r\n\r\n", {"method": b"M-SEARCH"}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name: str) -> None:
    check_accepted(_request, *REQUESTS[name])


@pytest.mark.parametrize(
    ("target", "odd"),
    [
        (b"/a/b?c", False),
        (b"/a?b//c", False),
        (b"/a?%2e", False),
        (b"/a.b", False),
        (b"/%61", True),
        (b"//a", True),
        (b"/a//", True),
        (b"/a/./b", True),
        (b"/.", True),
        (b"/a\\b", True),
    ],
)
def test_paths_that_want_a_second_look(target: bytes, odd: bool) -> None:
    check_accepted(_request, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", {"odd_path": odd, "target": target})


def _request_line(line: bytes) -> bytes:
    return line + b"\r\nHost: a\r\n\r\n"


# spec: F5 L1
REFUSED: dict[str, tuple[bytes, str]] = {
    "attack 1: two lengths": (_with(b"Content-Length: 6", b"Transfer-Encoding: chunked"), BAD),
    "attack 1: the other way round": (_with(b"Transfer-Encoding: chunked", b"Content-Length: 6"), BAD),
    "attack 2: vertical tab": (_with(b"Transfer-Encoding: \x0bchunked"), BAD),
    "attack 2: empty first": (_with(b"Transfer-Encoding: ,chunked"), BAD),
    "attack 2: identity": (_with(b"Transfer-Encoding: chunked, identity"), BAD),
    "attack 2: twice": (_with(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), BAD),
    "attack 2: quoted": (_with(b'Transfer-Encoding: "chunked"'), BAD),
    "attack 2: another": (_with(b"Transfer-Encoding: gzip"), BAD),
    "attack 5: blank before the colon": (_with(b"Content-Length : 5"), BAD),
    "attack 6: folded": (_with(b"Expect:", b" 100-continue"), "expectation_failed"),
    "attack 6: repeated": (_with(b"Expect: 100-continue", b"Expect: 100-continue"), "expectation_failed"),
    "attack 6: another": (_with(b"Expect: 200-ok"), "expectation_failed"),
    "attack 8: chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", BAD),
    **{
        f"attack 9: {length!r}": (_with(b"Content-Length: " + length), BAD)
        for length in (b"5,10", b"5, 5", b"+5", b"-5", b"0x5", b"1_0", b"", b"5 5", b"\xb2")
    },
    "attack 9: two lengths, one beyond measure": (
        _with(b"Content-Length: 5", b"Content-Length: " + b"9" * 19),
        BAD,
    ),
    "attack 9: twice": (_with(b"Content-Length: 5", b"Content-Length: 5"), BAD),
    "attack 10: no name": (_with(b": 5"), BAD),
    "attack 16: bare LF": (b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", BAD),
    "attack 16: bare LF behind the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", BAD),
    "attack 16: bare LF at the end": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", BAD),
    "attack 16: bare CR": (_with(b"X: 1\rY: 2"), BAD),
    "attack 16: CR before CR LF": (_with(b"X: 1\r"), BAD),
    "attack 16: CR LF CR X": (b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", BAD),
    "attack 17: obs-fold": (_with(b"X: 1", b" 2"), BAD),
    "attack 17: with a tab": (_with(b"X: 1", b"\t2"), BAD),
    "attack 18: leading blank": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", BAD),
    **{
        f"attack 18: control {c:#x} in a value": (_with(b"X: 1" + bytes((c,)) + b"2"), BAD) for c in (0, 1, 11, 31, 127)
    },
    **{
        f"attack 18: {c:#x} in a name": (_with(b"X" + bytes((c,)) + b"Y: 2"), BAD) for c in (0, 9, 40, 47, 64, 127, 128)
    },
    "no colon": (_with(b"X"), BAD),
    "attack 23: two hosts": (_with(b"Host: a"), BAD),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", BAD),
    "an empty host": (b"GET / HTTP/1.1\r\nHost: \r\n\r\n", BAD),
    "an empty host for all": (b"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", BAD),
    **{
        f"attack 23: host {host!r}": (b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", BAD)
        for host in (
            b"a@b",
            b"a,b",
            b"a b",
            b"a/b",
            b"a:b",
            b"a:65536",
            b":80",
            b"[::1",
            b"[]",
            b"[:]]",
            b"a%41",
            b"a:-1",
        )
    },
    "attack 23: absolute form against Host": (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD),
    "absolute form without an authority": (b"GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", BAD),
    "absolute form of another scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD),
    "attack 25: a fragment": (_request_line(b"GET /a#b HTTP/1.1"), BAD),
    "a path without a slash": (_request_line(b"GET a HTTP/1.1"), BAD),
    "asterisk for GET": (_request_line(b"GET * HTTP/1.1"), BAD),
    "CONNECT": (_request_line(b"CONNECT a:443 HTTP/1.1"), "method_not_supported"),
    "CONNECT to a path": (_request_line(b"CONNECT /a HTTP/1.1"), "method_not_supported"),
    "two blanks": (_request_line(b"GET  / HTTP/1.1"), BAD),
    "a blank in the target": (_request_line(b"GET /a b HTTP/1.1"), BAD),
    "a tab in the target": (_request_line(b"GET /a\tb HTTP/1.1"), BAD),
    "NUL in the target": (_request_line(b"GET /\x00 HTTP/1.1"), BAD),
    "no target": (_request_line(b"GET  HTTP/1.1"), BAD),
    "no method": (_request_line(b" / HTTP/1.1"), BAD),
    "a method that is no token": (_request_line(b"G(T / HTTP/1.1"), BAD),
    "HTTP/0.9": (_request_line(b"GET /"), BAD),
    "lower case": (_request_line(b"GET / http/1.1"), BAD),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http_version_not_supported"),
    "HTTP/1.2": (_request_line(b"GET / HTTP/1.2"), "http_version_not_supported"),
    "HTTP/1.x": (_request_line(b"GET / HTTP/1.x"), BAD),
    "HTTP/1.10": (_request_line(b"GET / HTTP/1.10"), BAD),
    "five empty lines": (b"\r\n" * 5 + _with(), BAD),
    "TLS": (b"\x16\x03\x01\x00\x05hello\n", BAD),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_requests(name: str) -> None:
    check_refused(_request, *REFUSED[name])


def _line(size: int) -> bytes:
    return b"X: " + b"v" * (size - 3)


def _total(size: int) -> bytes:
    """A request of so many bytes in lines that are short enough."""
    lines = [_line(8000)] * 7
    rest = size - len(_with(*lines)) - 2 * len(b"\r\n")
    return _with(*lines, _line(rest // 2), _line(rest - rest // 2))


def test_the_limits_themselves_are_allowed() -> None:
    # spec: L1
    target = b"/" + b"a" * (8192 - len(b"GET / HTTP/1.1"))
    assert _request(_request_line(b"GET " + target + b" HTTP/1.1")).target == target
    assert _request(_with(_line(8192))).length == len(_with(_line(8192)))
    assert len(_total(65536)) == 65536
    assert _request(_total(65536)).length == 65536
    assert _request(_with(*[b"a:"] * 999)).kept.count(b"\r\n") == 1001


def test_one_more_is_refused() -> None:
    # spec: L1
    target = b"/" + b"a" * (8193 - len(b"GET / HTTP/1.1"))
    assert outcome(_request, _request_line(b"GET " + target + b" HTTP/1.1")) == "request_line_too_long"
    assert outcome(_request, _with(_line(8193))) == LARGE
    assert len(_total(65537)) == 65537
    assert outcome(_request, _total(65537)) == LARGE
    assert outcome(_request, _with(*[b"a:"] * 1000)) == LARGE


@pytest.mark.parametrize("size", [8193, 70000])
def test_long_lines_are_refused_before_they_end(size: int) -> None:
    # spec: L1
    assert outcome(_request, b"G" * (size + 1)) == "request_line_too_long"
    assert outcome(_request, b"GET / HTTP/1.1\r\n" + b"a" * (size + 1)) == LARGE
    assert outcome(_request, b"G" * 8193) is None, "the last byte may be the CR"


def test_small_limits_hold_byte_by_byte() -> None:
    # spec: L1
    limits = Limits(line=20, total=60, fields=3)

    def scan(data: bytes) -> Any:
        return scan_request(data, limits)

    check_accepted(scan, _with(b"A: 1", b"B: 2"), {"method": b"GET"})
    check_refused(scan, _with(b"A: 1", b"B: 2", b"C: 3"), LARGE)
    check_refused(scan, _with(b"A: " + b"1" * 18), LARGE)
    check_refused(scan, _with(b"A: " + b"1" * 15, b"B: " + b"1" * 15), LARGE)
    check_refused(scan, b"GET /aaaaaaaa HTTP/1.1\r\n", "request_line_too_long")


# Responses

# spec: H4 H6 F5
RESPONSES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "the least": (
        b"HTTP/1.1 204 No Content\r\n\r\n",
        {
            "status": 204,
            "minor": 1,
            "body_length": -1,
            "chunked": False,
            "keep_alive": True,
            "keep_alive_for": -1,
            "kept": b"HTTP/1.1 204 No Content\r\n",
        },
    ),
    "an empty reason": (b"HTTP/1.1 200 \r\nA: b\r\n\r\n", {"kept": b"HTTP/1.1 200 \r\nA: b\r\n"}),
    "no reason": (
        b"HTTP/1.1 200\r\nContent-Type: text/html\r\n\r\n",
        {"kept": b"HTTP/1.1 200 \r\nContent-Type: text/html\r\n", "type_at": 29, "type_size": 9},
    ),
    "HTTP/1.0": (
        b"HTTP/1.0 404 No\r\n\r\n",
        {"minor": 0, "status": 404, "keep_alive": False, "kept": b"HTTP/1.1 404 No\r\n"},
    ),
    "HTTP/1.0 with keep-alive": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", {"keep_alive": True}),
    "what goes on": (
        _answer(
            b"Set-Cookie: a=\xff", b"Connection: close, X-Hop", b"X-Hop: 1", b"Set-Cookie: b", b"TE: x", b"Date: x"
        ),
        {
            "kept": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\xff\r\nSet-Cookie: b\r\nDate: x\r\n",
            "keep_alive": False,
            "dated": True,
        },
    ),
    "a length": (_answer(b"Content-Length: 5"), {"body_length": 5}),
    "chunks": (_answer(b"transfer-encoding: CHUNKED"), {"chunked": True, "kept": b"HTTP/1.1 200 OK\r\n"}),
    "a keep-alive timeout": (_answer(b"Keep-Alive: max=5, Timeout=7"), {"keep_alive_for": 7}),
    "a keep-alive timeout out of this world": (_answer(b"Keep-Alive: timeout=" + b"9" * 5000), {"keep_alive_for": -1}),
    "not to be compressed": (
        _answer(b"Cache-Control: public, NO-Transform", b"Content-Range: bytes 0-1/2", b"Content-Encoding: gzip"),
        {
            "no_transform": True,
            "ranged": True,
            "encoded": True,
            "kept": b"HTTP/1.1 200 OK\r\n"
            b"Cache-Control: public, NO-Transform\r\nContent-Range: bytes 0-1/2\r\nContent-Encoding: gzip\r\n",
        },
    ),
    "one coding of two": (_answer(b"Content-Encoding: gzip", b"Content-Encoding: identity"), {"encoded": True}),
    "identity": (_answer(b"Content-Encoding: identity"), {"encoded": False}),
    "an upgrade": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        {"status": 101, "upgrade": b"websocket", "kept": b"HTTP/1.1 101 Switching Protocols\r\n"},
    ),
    "an upgrade that Connection does not name": (_answer(b"Upgrade: h2c"), {"upgrade": None}),
    "a long field": (_answer(b"Link: " + b"x" * 9000), {"status": 200}),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_responses(name: str) -> None:
    check_accepted(_response, *RESPONSES[name])


# spec: F5
REFUSED_RESPONSES: dict[str, tuple[bytes, str]] = {
    "attack 27: two lengths": (_answer(b"Content-Length: 5", b"Content-Length: 6"), GARBLED),
    "a length and chunks": (_answer(b"Content-Length: 5", b"Transfer-Encoding: chunked"), GARBLED),
    "a length that is none": (_answer(b"Content-Length: 5a"), GARBLED),
    "a length of nineteen digits": (_answer(b"Content-Length: 1000000000000000005"), GARBLED),
    "another coding": (_answer(b"Transfer-Encoding: gzip, chunked"), GARBLED),
    "chunks in HTTP/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", GARBLED),
    "attack 26: NUL": (_answer(b"X: a\x00"), GARBLED),
    "attack 26: bare CR": (_answer(b"X: a\rSet-Cookie: b"), GARBLED),
    "attack 26: bare LF": (_answer(b"X: a\nSet-Cookie: b"), GARBLED),
    "no colon": (_answer(b"X"), GARBLED),
    "another protocol": (b"SSH-2.0-x\r\n", GARBLED),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", GARBLED),
    "HTTP/1.2": (b"HTTP/1.2 200 OK\r\n\r\n", GARBLED),
    "two digits": (b"HTTP/1.1 20 OK\r\n\r\n", GARBLED),
    "four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", GARBLED),
    "status 0xx": (b"HTTP/1.1 099 OK\r\n\r\n", GARBLED),
    "status 6xx": (b"HTTP/1.1 600 OK\r\n\r\n", GARBLED),
    "status 9xx": (b"HTTP/1.1 999 OK\r\nServer: app\r\n\r\n", GARBLED),
    "a tab for a blank": (b"HTTP/1.1\t200 OK\r\n\r\n", GARBLED),
    "control in the reason": (b"HTTP/1.1 200 O\x01K\r\n\r\n", GARBLED),
    "bare LF behind the status line": (b"HTTP/1.1 200 OK\nA: b\r\n\r\n", GARBLED),
    "too large": (_answer(*[b"X: " + b"x" * 4000] * 17), "http_response_header_section_size"),
    "too many": (_answer(*[b"a:"] * 1001), "http_response_header_section_size"),
    "a long reason": (b"HTTP/1.1 200 " + b"x" * 8192 + b"\r\n\r\n", "http_response_header_section_size"),
}


@pytest.mark.parametrize("name", REFUSED_RESPONSES)
def test_refused_responses(name: str) -> None:
    data, cause = REFUSED_RESPONSES[name]
    if len(data) > 4096:
        assert outcome(_response, data) == cause
        return
    check_refused(_response, data, cause)
