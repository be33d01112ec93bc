"""One line a request: what is in it, and that nothing a client chose can end it (R4, attack 26)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lb.telemetry.lines import combined_line, json_line
from lb.telemetry.record import Record

FACTS: dict[str, Any] = {
    "client": b"192.0.2.1",
    "method": b"GET",
    "host": b"a.example",
    "target": b"/a?b",
    "minor": 1,
    "status": 200,
    "sent": 5,
    "received": 7,
    "duration": 0.25,
    "app": b"shop",
    "environment": b"production",
    "instance": b"10.0.0.1:80",
    "cause": None,
    "detail": b"",
    "request_id": b"0123abcd",
    "scheme": b"https",
    "user_agent": b"test/1",
    "referer": b"http://x/",
}
NOTHING = dict.fromkeys(("method", "host", "target", "app", "environment", "instance", "user_agent", "referer"), b"")
EVERY_BYTE = bytes(range(1, 256))


def record(**facts: object) -> Record:
    made = Record()
    for name, value in (FACTS | facts).items():
        setattr(made, name, value)
    return made


def test_json() -> None:
    # spec: R4; twice, since what lines repeat is remembered
    for _ in range(2):
        assert json_line(record(), b"2026-11-20T23:11:00.123Z") == (
            b'{"time":"2026-11-20T23:11:00.123Z","client":"192.0.2.1","method":"GET","host":"a.example","target":"/a?b",'
            b'"protocol":"HTTP/1.1","status":200,"bytes_sent":5,"bytes_received":7,"duration":0.250000,"app":"shop",'
            b'"environment":"production","instance":"10.0.0.1:80","cause":null,"request_id":"0123abcd","scheme":"https",'
            b'"user_agent":"test/1","referer":"http://x/"}\n'
        )


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (NOTHING, dict.fromkeys(("protocol", *NOTHING))),
        ({"minor": 0}, {"protocol": "HTTP/1.0"}),
        ({"cause": "connection_refused", "status": 502}, {"cause": "connection_refused", "status": 502}),
        (
            {"cause": "http_protocol_error", "detail": b'a "quoted" word'},
            {"cause": "http_protocol_error", "detail": 'a "quoted" word'},
        ),
        ({"sent": 10**12, "duration": 86400.5}, {"bytes_sent": 10**12, "duration": 86400.5}),
        ({"request_id": b'a-"\\\n'}, {"request_id": 'a-"\\\n'}),
        (dict.fromkeys(NOTHING, EVERY_BYTE), dict.fromkeys(NOTHING, EVERY_BYTE.decode("latin-1"))),
        ({"target": b"/" + b'"' * 8000}, {"target": "/" + '"' * 8000}),
    ],
)
def test_what_json_tells(facts: dict[str, object], told: dict[str, object]) -> None:
    # spec: R4
    line = json_line(record(**facts), b"")
    assert line.endswith(b"}\n")
    assert line[:-1].isascii()
    assert line[:-1].decode().isprintable()
    plain = json.loads(json_line(record(), b""))
    assert json.loads(line) == plain | told


def test_more_than_is_remembered_is_told_all_the_same() -> None:
    for number in range(3000):
        assert json.loads(json_line(record(target=b"/%d" % number), b""))["target"] == f"/{number}"


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, b'192.0.2.1 - - [now] "GET /a?b HTTP/1.1" 200 5 "http://x/" "test/1"\n'),
        ({"minor": 0}, b'192.0.2.1 - - [now] "GET /a?b HTTP/1.0" 200 5 "http://x/" "test/1"\n'),
        (NOTHING | {"status": 400}, b'192.0.2.1 - - [now] "-" 400 5 "-" "-"\n'),
        (
            {"target": b'/"\\', "referer": b"\r\n\x1b", "user_agent": b"\x7f\x80\xff ~!"},
            rb'192.0.2.1 - - [now] "GET /\x22\x5c HTTP/1.1" 200 5 "\x0d\x0a\x1b" "\x7f\x80\xff ~!"' + b"\n",
        ),
    ],
)
def test_combined(facts: dict[str, object], line: bytes) -> None:
    # spec: R4
    assert combined_line(record(**facts), b"now") == line
