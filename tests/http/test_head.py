"""What a head says once it has been read: lists, nominated fields, targets in absolute form, trailers."""

from __future__ import annotations

import pytest

from lb.errors import ProxyError
from lb.http.head import (
    Limits,
    RequestHead,
    field_name,
    is_authority,
    is_disguised,
    is_grpc,
    list_value,
    strip_nominated,
    trailer_fields,
    with_length,
    without_expectation,
    without_fields,
)
from lb.http.scan import scan_request

LINES = b"GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nAccept: text/html\r\nx-one: 2\r\n"


def read(*lines: str) -> RequestHead:
    head = scan_request("\r\n".join(("GET / HTTP/1.1", "Host: a", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


def test_values_are_places_in_what_is_kept() -> None:
    head = read("Accept:  text/html ", "User-Agent: tester", "Referer: http://b/", "Accept-Encoding: gzip")
    assert (head.accept(), head.user_agent(), head.referer(), head.accept_encoding()) == (
        b"text/html",
        b"tester",
        b"http://b/",
        b"gzip",
    )
    assert read().accept() == read().user_agent() == b""


def test_a_list_on_several_lines_is_one() -> None:
    # RFC 9110 section 5.3
    accepted = read("Accept: text/html", "Accept: application/json").accept()
    assert [one.strip() for one in accepted.split(b",")] == [b"text/html", b"application/json"]
    assert [one.strip() for one in list_value(LINES, b"x-one").split(b",")] == [b"1", b"2"]


def test_fields_are_taken_out_by_name() -> None:
    assert without_fields(LINES, frozenset((b"x-one", b"accept"))) == b"GET / HTTP/1.1\r\nHost: a\r\n"
    assert field_name(b"X-One: 1") == b"x-one"


# spec: H4
def test_connection_takes_out_what_it_names_but_nothing_that_frames_or_authenticates() -> None:
    kept = strip_nominated(LINES, b"x-one, host, content-length, close", "http_request_error")
    assert kept == b"GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n"


# spec: H3
@pytest.mark.parametrize(
    ("name", "disguised"),
    [(b"X_Real_IP", True), (b"content_length", True), (b"x_forwarded_for", True), (b"my_field", False)],
)
def test_names_that_an_app_could_take_for_ours(name: bytes, disguised: bool) -> None:
    assert is_disguised(name) is disguised


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (b"a.example", True),
        (b"a_b.example:8080", True),
        (b"[::1]:80", True),
        (b"a:65536", False),
        (b"a:", True),
        (b"user@a", False),
        (b"a%2e", False),
        (b"", False),
        (b"a b", False),
    ],
)
def test_a_host_with_or_without_a_port(value: bytes, valid: bool) -> None:
    assert is_authority(value) is valid


# spec: F4
@pytest.mark.parametrize(
    ("section", "kept"),
    [
        (b"", b""),
        (b"Sum: 1\r\n", b"Sum: 1\r\n"),
        (b"Sum: 1\r\nHost: b\r\nContent_Length: 5\r\nX-Forwarded-For: x\r\nAge: 3\r\n", b"Sum: 1\r\n"),
    ],
)
def test_what_may_stand_behind_a_body(section: bytes, kept: bytes) -> None:
    # RFC 9110 section 6.5.1
    assert trailer_fields(section, Limits()) == kept


# spec: F5, L1
@pytest.mark.parametrize(
    ("section", "cause"),
    [
        (b"no field\r\n", "http_request_error"),
        (b": empty\r\n", "http_request_error"),
        (b"A b: c\r\n", "http_request_error"),
        (b"A: \x00\r\n", "http_request_error"),
        (b"A: " + b"x" * 100 + b"\r\n", "request_header_too_large"),
        (b"A: b\r\n" * 11, "request_header_too_large"),
    ],
)
def test_trailers_that_are_refused(section: bytes, cause: str) -> None:
    with pytest.raises(ProxyError) as caught:
        trailer_fields(section, Limits(line=100, fields=10))
    assert caught.value.cause.code == cause


def _request(*lines: str) -> RequestHead:
    head = scan_request("\r\n".join(("POST /a HTTP/1.1", "Host: a", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


# spec: F6
def test_a_collected_body_has_a_length_and_nobody_waits_for_it() -> None:
    lines = ("Accept: text/html", "Transfer-Encoding: chunked", "Trailer: A", "Expect: 100-continue", "User-Agent: u")
    head = _request(*lines, "Accept-Encoding: br", "Referer: r", "X-Request-Id: abc", "Via: 1.1 lb")
    before = head.kept
    changed = with_length(head, 12)
    assert (head.kept, head.chunked, head.expect) == (before, True, True)  # others may have the same head
    assert (changed.chunked, changed.expect, changed.body_length) == (False, False, 12)
    assert b"\r\nContent-Length: 12\r\n" in changed.kept
    assert not any(name in changed.kept.lower() for name in (b"trailer", b"expect"))
    same = ("method", "target", "host", "minor", "passes", "request_id", "keep_alive", "length", "odd_path", "upgrade")
    assert [getattr(changed, name) for name in same] == [getattr(head, name) for name in same]
    for value in (RequestHead.accept, RequestHead.accept_encoding, RequestHead.user_agent, RequestHead.referer):
        assert value(changed) == value(head) != b""


# spec: F6
def test_a_length_that_came_is_not_doubled() -> None:
    changed = with_length(_request("Content-Length: 5", "Expect: 100-continue"), 5)
    assert changed.kept.lower().count(b"content-length") == 1
    assert changed.body_length == 5


# spec: F6
def test_a_body_that_goes_on_in_chunks_keeps_its_trailers() -> None:
    changed = without_expectation(_request("Transfer-Encoding: chunked", "Trailer: A", "Expect: 100-continue"))
    assert (changed.chunked, changed.expect) == (True, False)
    assert b"Trailer: A" in changed.kept
    assert b"Expect" not in changed.kept


# spec: F6
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Content-Type: application/grpc", True),
        ("content-type:application/grpc+proto", True),
        ("Content-Type: \t APPLICATION/GRPC-WEB", True),
        ("Content-Type: application/json", False),
        ("X-Content-Type: application/grpc", False),
        ("X: content-type: application/grpc", False),
    ],
)
def test_calls_of_grpc_are_known_by_their_type(line: str, expected: bool) -> None:
    assert is_grpc(_request(line)) is expected
