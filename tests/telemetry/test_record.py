"""The facts of one access-log line, as far as a request tells them."""

from __future__ import annotations

from lb.http.head import Limits
from lb.http.refused import Refused
from lb.http.scan import scan_request
from lb.telemetry.record import Record


def test_what_a_request_tells() -> None:
    head = scan_request(
        b"GET /x?y HTTP/1.0\r\nHost: a.example\r\nUser-Agent: tester\r\nReferer: http://b/\r\n\r\n", Limits()
    )
    assert head is not None
    record = Record()
    record.of_request(head)
    assert (record.method, record.target, record.host, record.minor) == (b"GET", b"/x?y", b"a.example", 0)
    assert (record.user_agent, record.referer) == (b"tester", b"http://b/")


def test_what_a_refused_request_tells_all_the_same() -> None:
    # spec: E2
    record = Record()
    record.of_refused(Refused(b"GET /late HTTP/1.1\r\nHost: a.example\r\nUser-Agent: tester\r\nX: "))
    assert (record.method, record.target, record.host, record.user_agent) == (b"GET", b"/late", b"a.example", b"tester")


def test_what_is_no_request_tells_nothing() -> None:
    record = Record()
    record.of_none()
    assert {record.method, record.target, record.host, record.user_agent, record.referer} == {b""}
