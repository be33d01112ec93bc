"""What a message costs to read and to rewrite grows with its bytes, and no byte is much dearer than another (L1).

Two ratios say so, and no clock: sixteen times the bytes cost about sixteen times as much, and 64 KB of the worst that
fits in a head cost no more than a few plain passes over it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import pytest

from lb.errors import ProxyError
from lb.http.body import CHUNKED, Body
from lb.http.cookies import cookie_value, field_value, without_cookie
from lb.http.etags import apps_conditions, clients_tag, with_suffix
from lb.http.forwarding import is_among
from lb.http.head import Limits, RequestHead, trailer_fields
from lb.http.negotiate import choose_encoding, choose_error_form
from lb.http.refused import Refused, head_too_large
from lb.http.reply import redirect
from lb.http.scan import scan_request, scan_response
from lb.http.transform import encoded, varied, without_digests
from lb.routing.checks import plain_path
from lb.routing.clients import client_behind
from lb.routing.networks import Networks
from lb.telemetry.lines import combined_line, json_line
from lb.telemetry.record import Record
from tests.http.test_body import feed

CODINGS = (b"zstd", b"br", b"gzip")
FULL = 65_000  # bytes of a head as large as it may be
LINE = 8_000  # and of a client's line

Work = Callable[[], object]
_numbers = count()


def _repeated(what: bytes, size: int) -> bytes:
    return what * (size // len(what))


def _on_lines(name: bytes, value: bytes, size: int) -> bytes:
    """Field lines with `value` again and again, each as long as a client's may be, so many bytes in all."""
    longest = min(size, LINE - len(name) - 2)
    return _repeated(name + b": " + _repeated(value, longest) + b"\r\n", max(size, longest + len(name) + 4))


def _scan_request(fields: bytes, path: bytes = b"/") -> Work:
    def work() -> None:
        with suppress(ProxyError):
            scan_request(b"GET %b%d HTTP/1.1\r\nHost: a\r\n" % (path, next(_numbers)) + fields + b"\r\n", Limits())

    return work


def _scan_response(fields: bytes) -> Work:
    def work() -> None:
        with suppress(ProxyError):
            scan_response(b"HTTP/1.1 200 %d\r\n" % next(_numbers) + fields + b"\r\n", Limits())

    return work


def _scan_loose(fields: bytes) -> Work:
    def work() -> None:
        with suppress(ProxyError):
            scan_response(b"HTTP/1.1 200 %d\n" % next(_numbers) + fields + b"\n", Limits())

    return work


def _tagged(fields: bytes) -> RequestHead:
    head = RequestHead()
    head.method = b"GET"
    head.kept = b"GET / HTTP/1.1\r\n" + fields
    return head


def _apps(fields: bytes) -> Work:
    return lambda: apps_conditions(_tagged(fields))


def _clients(fields: bytes) -> Work:
    return lambda: clients_tag(b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\n', _tagged(fields), CODINGS)


def _suffixed(value: bytes) -> Work:
    return lambda: with_suffix(b"HTTP/1.1 200 OK\r\nETag: " + value + b"\r\n", b"gzip")


def _fresh(value: bytes) -> bytes:
    return value + b"%d" % next(_numbers)  # or it would be remembered


def _logged(value: bytes) -> Work:
    record = Record()
    record.of_none()
    record.client = record.app = record.environment = record.instance = record.request_id = record.scheme = b"a"
    record.status = record.sent = record.received = 0
    record.duration = 0.0
    record.cause, record.detail = None, b""
    record.method, record.user_agent = b"GET", value

    def work() -> None:
        for line in (json_line, combined_line):
            record.target = _fresh(value)
            line(record, b"now")

    return work


def _trailers(section: bytes) -> Work:
    def work() -> None:
        with suppress(ProxyError):
            feed(Body(CHUNKED, 0, -1, Limits(), True), b"0\r\n" + section + b"\r\n", FULL * 2)

    return work


# What a client can say. Lists of a size: what is done with so many bytes.
OF_CLIENTS: dict[str, Callable[[int], Work]] = {
    "names in Connection": lambda size: _scan_request(
        b"".join(
            b"Connection: " + b",".join(b"%d" % at for at in range(start, start + 1300)) + b"\r\n"
            for start in range(10_000, 10_000 + size // 6, 1300)
        )
    ),
    "one name in Connection": lambda size: _scan_request(_on_lines(b"Connection", b"a,", size)),
    "nothing in Connection": lambda size: _scan_request(_on_lines(b"Connection", b",", size)),
    "nothing in Via": lambda size: _scan_request(_on_lines(b"Via", b",", size)),
    "almost ourselves in Via": lambda size: _scan_request(_on_lines(b"Via", b"1 lba,", size)),
    "ourselves in Via": lambda size: _scan_request(_on_lines(b"Via", b"1 lb,", size)),
    "words in Via": lambda size: _scan_request(_on_lines(b"Via", b"a ", size)),
    "blanks in Via": lambda size: _scan_request(_on_lines(b"Via: a", b" ", size)),
    "underscores": lambda size: _scan_request(_repeated(b"_" * 60 + b": a\r\n", size)),
    "an absolute URL": lambda size: _scan_request(_repeated(b"x" * 60 + b": aaaaaa\r\n", size), b"http://a/"),
    "tags of ours": lambda size: _apps(_on_lines(b"If-None-Match", b"a-lb-br,", size)),
    "short tags": lambda size: _apps(_on_lines(b"If-None-Match", b"a,", size) + b"If-Match: -lb-br\r\n"),
    "empty tags": lambda size: _apps(_on_lines(b"If-Match", b'""', size) + b"If-Match: -lb-br\r\n"),
    "a tag of tags": lambda size: _apps(_on_lines(b"If-Match", b"-lb-br", size)),
    "open quotes": lambda size: _apps(_on_lines(b"If-Match", b'W/"-lb-br', size)),
    "tags that may be named again": lambda size: _clients(_on_lines(b"If-None-Match", b"a-lb-br,", size)),
    "short ones": lambda size: _clients(_on_lines(b"If-None-Match", b"a,", size)),
    "a cookie sought among none": lambda size: lambda: cookie_value(_on_lines(b"\r\nCookie", b";", size), b"lb"),
    "a cookie sought among many": lambda size: lambda: cookie_value(_on_lines(b"\r\nCookie", b"lb;", size), b"lb"),
    "a cookie sought among names like it": lambda size: (
        lambda: cookie_value(_on_lines(b"\r\nCookie", b"; lb ", size), b"lb")
    ),
    "a cookie among blanks": lambda size: lambda: cookie_value(_on_lines(b"\r\nCookie", b" ", size), b"lb"),
    "a field sought among many": lambda size: lambda: field_value(_repeated(b"\r\na:b", size), b"x-key"),
    "no cookie taken": lambda size: lambda: without_cookie(_on_lines(b"\r\nCookie", b";", size), b"lb"),
    "one cookie taken of many": lambda size: (
        lambda: without_cookie(_on_lines(b"\r\nCookie", b";", size - 20) + b"\r\nCookie: lb=a\r\n", b"lb")
    ),
    "a record of bytes to escape": lambda size: _logged(b"\xff" * (size // 4)),
    "a record of quotes": lambda size: _logged(b'a"' * (size // 8)),
    "cookies taken": lambda size: lambda: without_cookie(_on_lines(b"\r\nCookie", b"lb=;a;", size), b"lb"),
    "a refused head": lambda size: lambda: Refused(b"GET / HTTP/1.1\r\n" + _repeated(b"a\r\n", size)),
    "a refused host": lambda size: lambda: Refused(b"GET / HTTP/1.1\r\n" + _repeated(b"host:a\r\n", size)),
    "which limit": lambda size: (
        lambda: head_too_large("request_header_too_large", b"GET / HTTP/1.1\r\n" + _repeated(b"a:\r\n", size), Limits())
    ),
    "protocols": lambda size: lambda: is_among(_repeated(b"a,", size // 2), _repeated(b"a,", size // 2)),
    "trailers": lambda size: lambda: trailer_fields(_repeated(b"a: " + b"b" * 65 + b"\r\n", size), Limits()),
}

# The same of what fits in one line of a client's.
OF_LINES: dict[str, Callable[[int], Work]] = {
    "nothing is accepted": lambda size: lambda: choose_encoding(_fresh(b"," * size), CODINGS),
    "many codings": lambda size: lambda: choose_encoding(_fresh(_repeated(b"a;q=1,", size)), CODINGS),
    "parameters": lambda size: lambda: choose_encoding(_fresh(b";" * size), CODINGS),
    "no form": lambda size: lambda: choose_error_form(b"," * size),
    "parameters of a form": lambda size: lambda: choose_error_form(b";" * size),
    "a redirect": lambda size: lambda: redirect(b"https://a/" + b"\xff" * size, 308),
    "a redirect with less to encode": lambda size: lambda: redirect(b"https://a/" + _repeated(b"\xffa", size), 308),
    "a path of dots": lambda size: lambda: plain_path(_repeated(b"/a/..", size)),
    "a path of slashes": lambda size: lambda: plain_path(b"/" * size),
    "a path of backslashes": lambda size: lambda: plain_path(_repeated(b"\\a", size)),
    "a path of percents": lambda size: lambda: plain_path(b"%" * size),
    "a path that is encoded": lambda size: lambda: plain_path(_repeated(b"%2e", size)),
    "a path that is encoded often": lambda size: lambda: plain_path(b"/%" + b"25" * size),
    "a path that is encoded often, again and again": lambda size: lambda: plain_path(_repeated(b"%2525252e", size)),
    "a chain": lambda size: lambda: client_behind(_repeated(b"1.1.1.1,", size), Networks(())),
}

# What an instance can.
OF_INSTANCES: dict[str, Callable[[int], Work]] = {
    "a tag of blanks": lambda size: _suffixed(b'"a' + b" " * size + b'b"x'),
    "a tag of blanks and no quotes": lambda size: _suffixed(b"a" + b" " * size + b"b c"),
    "a tag of quotes": lambda size: _suffixed(b'"' * size),
    "an endless tag": lambda size: _suffixed(b'"' + b"a" * size),
    "blanks behind a tag": lambda size: _suffixed(b'"a"' + b" " * size + b"b"),
    "the same length, among others": lambda size: _scan_loose(
        _repeated(b"Content-Length:0\n", size // 2) + _repeated(b"a:\n", size // 2)
    ),
    "the same length": lambda size: _scan_response(_repeated(b"Content-Length: 0\r\n", size)),
    "the same length, in a list": lambda size: _scan_response(b"Content-Length: " + b"0," * (size // 2) + b"0\r\n"),
    "short lines": lambda size: _scan_response(_repeated(b"a :\r\n", size)),
    "short folds": lambda size: _scan_response(b"a: b\r\n" + _repeated(b" b\r\n", size)),
    "long folds": lambda size: _scan_response(b"a: b" + b" " * size + b"\r\n" + b" " * size + b"c\r\n"),
    "folded trailers": lambda size: _trailers(b"a: b\r\n" + _repeated(b" b\r\n", size)),
    "loose trailers": lambda size: _trailers(_repeated(b"a :\r\n", size)),
    "nothing in Keep-Alive": lambda size: _scan_response(b"Keep-Alive: " + b"," * size + b"\r\n"),
    "no time in Keep-Alive": lambda size: _scan_response(b"Keep-Alive: " + _repeated(b"timeout=,", size) + b"\r\n"),
    "blanks in Keep-Alive": lambda size: _scan_response(b"Keep-Alive: timeout" + b" " * size + b"x\r\n"),
    "names in Connection": lambda size: _scan_response(
        b"Connection: " + b",".join(b"%d" % at for at in range(10_000, 10_000 + size // 6)) + b"\r\n"
    ),
    "almost no-transform": lambda size: _scan_response(b"Cache-Control: " + _repeated(b"no-transfor", size) + b"\r\n"),
    "nothing in Vary": lambda size: lambda: varied(b"HTTP/1.1 200 OK\r\nVary: " + b"," * size + b"\r\n"),
    "blanks in Vary": lambda size: lambda: varied(b"HTTP/1.1 200 OK\r\nVary: a" + b" " * size + b"x\r\n"),
    "many Vary": lambda size: lambda: varied(b"HTTP/1.1 200 OK\r\n" + _repeated(b"Vary: " + b"a" * 57 + b"\r\n", size)),
    "almost a digest": lambda size: (
        lambda: encoded(b"HTTP/1.1 200 OK\r\nx-amz-checksum-" + b"a" * size + b":\r\n", b"gzip")
    ),
    "almost digests in trailers": lambda size: lambda: without_digests(_repeated(b"x-checksum-a\r\n", size)),
    "protocols": lambda size: lambda: is_among(_repeated(b"a,", size), b"a"),
}

ALL = {
    f"{name} ({who})": (work, full, passes)
    for who, works, full, passes in (
        ("client", OF_CLIENTS, FULL, 12),
        ("client's line", OF_LINES, LINE, 25),  # which may be decoded four times
        ("instance", OF_INSTANCES, FULL, 12),
    )
    for name, work in works.items()
}


def _cost(work: Work) -> float:
    times = []
    for _ in range(5):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


@pytest.mark.parametrize("name", ALL)
def test_bytes_cost_the_same_however_many_there_are(name: str) -> None:
    # spec: L1
    work, full, _ = ALL[name]
    assert _cost(work(full)) < 64 * _cost(work(full // 16)), "sixteen times the bytes"


@pytest.mark.parametrize("name", ALL)
def test_no_byte_is_much_dearer_than_another(name: str) -> None:
    # spec: L1: what stands for the cost of a byte is a pass that makes a number of each
    work, full, passes = ALL[name]
    data = b"x" * full
    assert _cost(work(full)) < passes * _cost(lambda: sum(data))
