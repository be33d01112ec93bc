"""Bounds on the elements of lists (L1): as many as any real client sends are read, and one more is not."""

from __future__ import annotations

import pytest

from lb.http.body import CHUNKED, Body
from lb.http.etags import apps_conditions, clients_tag, with_suffix
from lb.http.head import Limits, RequestHead
from lb.http.negotiate import choose_encoding, choose_error_form
from lb.http.refused import Refused
from lb.http.scan import scan_request, scan_response
from tests.http.test_body import feed
from tests.http.ways import outcome

OK = b"HTTP/1.1 200 OK\r\n"


def _request(*lines: bytes) -> RequestHead:
    head = scan_request(b"".join(line + b"\r\n" for line in (b"GET / HTTP/1.1", b"Host: a", *lines, b"")), Limits())
    assert head is not None
    return head


@pytest.mark.parametrize("split", [1, 2, 100])
def test_fields_that_connection_names(split: int) -> None:
    # spec: H4, L1: what names more than it can have is refused, so that none of them goes on
    def lines(count: int) -> bytes:
        names = [b"x-%d" % at for at in range(count)]
        return b"".join(b"Connection: " + b",".join(names[at::split]) + b"\r\n" for at in range(split))

    def request(data: bytes) -> object:
        return scan_request(b"GET / HTTP/1.1\r\nHost: a\r\n" + data + b"X-255: 1\r\nX-Y: 2\r\n\r\n", Limits())

    def response(data: bytes) -> object:
        return scan_response(OK + data + b"X-255: 1\r\nX-Y: 2\r\n\r\n", Limits())

    for read in (request, response):
        head = outcome(read, lines(256))
        assert b"X-255" not in head.kept
        assert b"X-Y: 2\r\n" in head.kept
    assert outcome(request, lines(257)) == "http_request_error"
    assert outcome(response, lines(257)) == "http_protocol_error"


def test_options_that_name_no_field_have_no_bound() -> None:
    assert _request(b"Connection: " + b",".join([b"close"] * 1000)).keep_alive is False


@pytest.mark.parametrize("lines", [1, 4])
def test_tags_in_conditions(lines: int) -> None:
    # spec: C2, L1: the app gets what was sent, and knows none of it
    def head(count: int) -> RequestHead:
        tags = [b'"v%d-lb-gzip"' % at for at in range(count)]
        return _request(
            b"Accept-Encoding: gzip", *[b"If-None-Match: " + b", ".join(tags[at::lines]) for at in range(lines)]
        )

    answer = b'HTTP/1.1 304 Not Modified\r\nETag: "v7"\r\n'
    known = head(256)
    assert b"-lb-" not in apps_conditions(known)
    assert clients_tag(answer, known, (b"gzip",)) == with_suffix(answer, b"gzip")
    unknown = head(257)
    assert apps_conditions(unknown) == unknown.kept
    assert clients_tag(answer, unknown, (b"gzip",)) == answer


def test_a_range_is_taken_back_however_many_tags_there_are() -> None:
    # spec: C2
    head = _request(b'If-Range: "v1-lb-gzip"', b"Range: bytes=5-", b"If-Match: " + b'"a",' * 300)
    assert b"ange: " not in apps_conditions(head)


@pytest.mark.parametrize(
    ("value", "marked"),
    [
        (b'"v1"', b'"v1-lb-br"'),
        (b'"v 1" \t', b'"v 1-lb-br" \t'),
        (b"v1", b"v1-lb-br"),
        (b'"' + b"a" * 60_000 + b'"', b'"' + b"a" * 60_000 + b'-lb-br"'),
        (b'W/"v1"', b'W/"v1"'),
        # What is no tag stays, so that it means as little as before.
        (b'"v1" x', b'"v1" x'),
        (b'"v1', b'"v1'),
        (b"v1 v2", b"v1 v2"),
        (b'"a"b"', b'"a"b"'),
        (b"", b""),
    ],
)
def test_only_a_tag_is_made_another(value: bytes, marked: bytes) -> None:
    # spec: C2
    start, end = OK + b"ETag: ", b"\r\nA: b\r\n"
    assert with_suffix(start + value + end, b"br") == start + marked + end
    assert (
        with_suffix(start + value + b"\r\nETag: " + value + end, b"br") == start + marked + b"\r\nETag: " + marked + end
    )


def test_lists_with_weights() -> None:
    # spec: C1, E2, L1: what is too long to be understood says nothing
    assert choose_encoding(b"a," * 63 + b"gzip", (b"gzip",)) == b"gzip"
    assert choose_encoding(b"a," * 64 + b"gzip", (b"gzip",)) is None
    assert choose_error_form(b"a/b," * 63 + b"text/html") == "html"
    assert choose_error_form(b"a/b," * 64 + b"text/html") == "text"
    assert choose_encoding(b"gzip" + b";a" * 15 + b";q=0, br;q=0.1", (b"gzip", b"br")) == b"br"
    assert choose_encoding(b"gzip" + b";a" * 17 + b", br;q=0.1", (b"gzip", b"br")) == b"br"


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_lines_of_loose_trailers(step: int) -> None:
    # spec: F7, L1: the lines of a fold count, since each has to be looked at
    limits = Limits(fields=3)
    for lines, cause in (
        (b"A: b\r\n c\r\n d\r\n", None),
        (b"A: b\r\n c\r\n d\r\n e\r\n", "request_header_too_large"),
        (b"A :b\r\n" * 3, None),
        (b"A :b\r\n" * 4, "request_header_too_large"),
    ):
        data = b"0\r\n" + lines
        assert feed(Body(CHUNKED, 0, -1, limits, True), data + b"\r\n", step).cause == cause
        assert feed(Body(CHUNKED, 0, -1, limits, True), data, step).cause == cause, "before they end"


def test_lengths_that_are_said_again() -> None:
    # spec: F7, L1
    def response(count: int) -> object:
        return outcome(
            lambda data: scan_response(data, Limits()), OK + b"Content-Length: 5\r\nA: b\r\n" * count + b"\r\n"
        )

    head = response(64)
    assert head.kept == OK + b"Content-Length: 5\r\n" + b"A: b\r\n" * 64  # type: ignore[attr-defined]
    assert response(65) == "http_protocol_error"


def test_a_refused_head_of_many_lines() -> None:
    # spec: L1: for the log, its first thousand lines are enough
    head = b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 999
    assert Refused(head + b"Host: a\r\n\r\n").host == b"a"
    assert Refused(head + b"a: b\r\nHost: a\r\n\r\n").host == b""
