"""Targets in absolute form: whether they and Host name one authority, and what goes on (RFC 9112 3.2.2, 3.2.4)."""

from __future__ import annotations

from typing import Any

import pytest

from lb.http.head import Limits
from lb.http.scan import scan_request
from tests.http.ways import check_accepted, check_refused


def _scan(data: bytes) -> Any:
    return scan_request(data, Limits())


def _message(target: bytes, host: bytes, version: bytes = b"1.1", method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/%b\r\n%bAccept: x\r\nUser-Agent: me\r\n\r\n" % (method, target, version, host)


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://a.test/x", b"a.test"),
        (b"HTTP://A.test/x", b"a.TEST"),
        (b"http://a.test:80/x", b"a.test"),
        (b"http://a.test/x", b"a.test:80"),
        (b"http://a.test:/x", b"a.test"),
        (b"http://a.test/x", b"a.test:"),
        (b"http://a.test:80/x", b"a.test:"),
        (b"https://a.test:443/x", b"a.test"),
        (b"https://a.test/x", b"a.test:443"),
        (b"http://a.test:8080/x", b"a.test:8080"),
        (b"http://a.test./x", b"a.test"),
        (b"http://a.test/x", b"a.test."),
        (b"http://a.test.:80/x", b"a.test"),
        (b"http://[::1]/x", b"[::1]:80"),
        (b"http://[::1]:81/x", b"[::1]:81"),
    ],
)
def test_one_authority_in_two_spellings(target: bytes, host: bytes) -> None:
    # spec: F5, H5; RFC 9110 section 4.2.3
    line = b"Host: " + host + b"\r\n"
    kept = b"GET /x HTTP/1.1\r\n" + line + b"Accept: x\r\nUser-Agent: me\r\n"
    check_accepted(_scan, _message(target, line), {"target": b"/x", "host": host, "kept": kept})
    head = _scan(_message(target, line))
    assert (head.accept(), head.user_agent()) == (b"x", b"me")


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://b.test/", b"a.test"),
        (b"http://a.test:443/", b"a.test"),
        (b"https://a.test:80/", b"a.test"),
        (b"http://a.test/", b"a.test:443"),
        (b"http://a.test:81/", b"a.test:80"),
        (b"http://a.test:8080/", b"a.test"),
        (b"http://a.test../", b"a.test"),
        (b"http://.a.test/", b"a.test"),
        (b"http://x@a.test/", b"a.test"),
        (b"http://[::1]/", b"[::2]"),
        (b"http://:80/", b"a.test"),
        (b"http:///", b"a.test"),
        (b"http://", b"a.test"),
        (b"http://a.test:99999/", b"a.test"),
        (b"http://a.test:x/", b"a.test"),
    ],
)
def test_two_authorities_or_none(target: bytes, host: bytes) -> None:
    # spec: F5
    check_refused(_scan, _message(target, b"Host: " + host + b"\r\n"), "http_request_error")


@pytest.mark.parametrize(("version", "host"), [(b"1.0", b""), (b"1.0", b"Host: \r\n"), (b"1.1", b"Host:\r\n")])
def test_where_host_names_none_the_targets_counts(version: bytes, host: bytes) -> None:
    # spec: F5; RFC 9112 section 3.2.2
    kept = b"GET /x HTTP/1.1\r\nAccept: x\r\nUser-Agent: me\r\nHost: a.test:81\r\n"
    data = _message(b"http://a.test:81/x", host, version)
    check_accepted(_scan, data, {"target": b"/x", "host": b"a.test:81", "kept": kept})
    assert _scan(data).user_agent() == b"me"
    for target in (b"http://x@a.test/", b"http:///", b"http://:80/", b"http://a.test:99999/", b"http://a,b/"):
        check_refused(_scan, _message(target, host, version), "http_request_error")


def test_http_1_1_needs_a_host_beside_it() -> None:
    # spec: F5; RFC 9112 section 3.2
    check_refused(_scan, _message(b"http://a.test/", b""), "http_request_error")


@pytest.mark.parametrize(
    ("method", "target", "form"),
    [
        (b"OPTIONS", b"http://a", b"*"),
        (b"OPTIONS", b"http://a/", b"/"),
        (b"OPTIONS", b"http://a?q", b"/?q"),
        (b"OPTIONS", b"http://a/x", b"/x"),
        (b"GET", b"http://a", b"/"),
        (b"GET", b"http://a?q", b"/?q"),
    ],
)
def test_options_without_a_path_is_about_the_server(method: bytes, target: bytes, form: bytes) -> None:
    # spec: F4; RFC 9112 section 3.2.4
    data = _message(target, b"Host: a\r\n", method=method)
    kept = method + b" " + form + b" HTTP/1.1\r\nHost: a\r\nAccept: x\r\nUser-Agent: me\r\n"
    check_accepted(_scan, data, {"target": form, "kept": kept})
