"""The compiled modules and their uncompiled twins say the same of whatever comes (attacks 1 to 20 and what is near)."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lb.http.body
import lb.http.scan
import lb.telemetry.lines
from lb.errors import ProxyError
from lb.http.head import Limits
from lb.telemetry.record import Record
from tests.http import messages
from tests.http.twins import import_sources, is_compiled, need_compiled
from tests.http.ways import values

source_scan, source_body, source_lines, source_record = import_sources(
    "lb.http.scan", "lb.http.body", "lb.telemetry.lines", "lb.telemetry.record"
)

many = settings(max_examples=int(os.environ.get("LB_FUZZ_EXAMPLES", "800")), deadline=None)


@pytest.fixture(autouse=True)
def _compiled() -> None:
    for module in (lb.http.scan, lb.http.body, lb.telemetry.lines):
        need_compiled(module)


def test_the_twins_are_two() -> None:
    assert not any(is_compiled(module) for module in (source_scan, source_body, source_lines, source_record))
    assert source_scan is not lb.http.scan


def _said(scan: Any, data: bytes) -> Any:
    """All that a head says, None, or what a refusal says: the first time, and when its bytes are known."""
    try:
        head = scan(data)
        if head is not None:
            assert values(scan(data)) == values(head)
    except ProxyError as error:
        return error.cause.code, error.detail
    return head if head is None else values(head)


@many
@given(messages.REQUESTS, st.sampled_from(messages.LIMITS))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\r\n\r\n", Limits())
@example(b"GET / HTTP/1.1\r\nHost: a\r\n\n", Limits())
@example(b"CONNECT # HTTP/1.1\r\n", Limits())
def test_requests(data: bytes, limits: Limits) -> None:
    # spec: F5
    source_limits = source_scan.Limits(limits.line, limits.total, limits.fields)
    assert _said(lambda d: lb.http.scan.scan_request(d, limits), data) == _said(
        lambda d: source_scan.scan_request(d, source_limits), data
    )


@many
@given(messages.RESPONSES, st.sampled_from(messages.LIMITS))
def test_responses(data: bytes, limits: Limits) -> None:
    # spec: F5
    source_limits = source_scan.Limits(limits.line, limits.total, limits.fields)
    assert _said(lambda d: lb.http.scan.scan_response(d, limits), data) == _said(
        lambda d: source_scan.scan_response(d, source_limits), data
    )


@pytest.mark.parametrize("arguments", [(None, Limits()), (b"", None), ("", Limits())])
def test_other_types_are_refused(arguments: tuple[Any, Any]) -> None:
    for scan in (lb.http.scan.scan_request, lb.http.scan.scan_response):
        with pytest.raises(TypeError):
            scan(*arguments)


def _fed(body: Any, pieces: list[bytes]) -> list[Any]:
    steps: list[Any] = []
    try:
        for piece in pieces:
            steps.append(body.feed(bytearray(piece)))  # noqa: PERF401 - what came before a refusal counts
    except ProxyError as error:
        return [*steps, error.cause.code, error.detail, body.done]
    return [*steps, body.done, body.trailers, body.total, body.kind]


@many
@given(
    messages.CHUNKS,
    st.lists(st.integers(1, 30), max_size=6),
    st.integers(0, 3),
    st.sampled_from((-1, 5, 100)),
    st.sampled_from(messages.LIMITS),
    st.booleans(),
)
def test_bodies(data: bytes, cuts: list[int], kind: int, cap: int, limits: Limits, lenient: bool) -> None:
    # spec: F5 L1 L2
    pieces = []
    for cut in cuts:
        pieces.append(data[:cut])
        data = data[cut:]
    pieces.append(data)
    source_limits = source_scan.Limits(limits.line, limits.total, limits.fields)
    length = 0 if kind == lb.http.body.CHUNKED else len(pieces[0])
    assert _fed(lb.http.body.Body(kind, length, cap, limits, lenient), pieces) == _fed(
        source_body.Body(kind, length, cap, source_limits, lenient), pieces
    )


_TEXTS = ("host", "target", "app", "environment", "instance", "request_id", "scheme", "user_agent", "referer")


@many
@given(
    st.fixed_dictionaries({name: st.binary(max_size=40) for name in _TEXTS}),
    st.sampled_from((b"127.0.0.1", b"::1", b"")),
    st.sampled_from((b"", b"GET", b'"\x00')),
    st.tuples(st.integers(0, 1), st.integers(0, 999), st.integers(0, 2**62), st.integers(0, 2**62)),
    st.integers(0, 10**11),
    st.tuples(st.sampled_from((None, "connection_refused")), st.sampled_from((b"", b"a detail", b'"'))),
)
def test_log_lines(
    texts: dict[str, bytes],
    client: bytes,
    method: bytes,
    numbers: tuple[int, ...],
    micros: int,
    why: tuple[str | None, bytes],
) -> None:
    # spec: R4
    records = (Record(), source_record.Record())
    for record in records:
        for name, value in texts.items():
            setattr(record, name, value)
        record.client, record.method = client, method
        record.cause, record.detail = why
        record.minor, record.status, record.received, record.sent = numbers
        record.duration = micros / 1e6  # between two of these the twins may round a half differently
    for name in ("json_line", "combined_line"):
        lines = [
            getattr(module, name)(record, b"2026-11-20T23:11:00Z")
            for module, record in zip((lb.telemetry.lines, source_lines), records, strict=True)
        ]
        assert lines[0] == lines[1]
