"""Heads that are found again by their bytes: the same ones, within the same limits, and only so many."""

from __future__ import annotations

from typing import Any

import pytest

from lb.errors import ProxyError
from tests.http.twins import import_sources

scan, known = import_sources("lb.http.scan", "lb.http.head_cache")

_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n"


def test_the_same_bytes_are_read_once() -> None:
    limits = scan.Limits()
    assert scan.scan_request(_HEAD, limits) is scan.scan_request(_HEAD + b"GET", limits)


def test_other_limits_are_held() -> None:
    # spec: L1
    assert scan.scan_request(_HEAD, scan.Limits()) is not None
    for limits in (scan.Limits(line=10), scan.Limits(total=len(_HEAD) - 1), scan.Limits(fields=1)):
        with pytest.raises(ProxyError):
            scan.scan_request(_HEAD, limits)


def test_empty_lines_count_for_the_length_each_time() -> None:
    limits = scan.Limits()
    for _ in range(2):
        assert scan.scan_request(b"\r\n" + _HEAD, limits).length == len(_HEAD) + 2
        assert scan.scan_request(b"\r\n\r\n" + _HEAD, limits).length == len(_HEAD) + 4
        assert scan.scan_request(_HEAD, limits).length == len(_HEAD)


def test_what_nobody_asks_for_is_forgotten() -> None:
    # spec: F3
    heads: Any = known.HeadCache(scan.REQUESTS._read)
    limits = scan.Limits()
    first = heads.head_at(_HEAD, 0, limits)
    once = heads.head_at(_HEAD.replace(b"A", b"Once"), 0, limits)
    for number in range(2000):
        assert heads.head_at(_HEAD.replace(b"A", b"X-%d" % number), 0, limits) is not None
        assert heads.head_at(_HEAD, 0, limits) is first
        assert len(heads) + len(heads._older) <= 512
    assert heads.head_at(_HEAD.replace(b"A", b"Once"), 0, limits) is not once
    long = _HEAD.replace(b"A: 1", b"A: " + b"x" * 4000)
    assert heads.head_at(long, 0, limits) is not heads.head_at(long, 0, limits)
