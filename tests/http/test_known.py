"""Heads that are found again by their bytes: the same ones, within the same limits, and only so many."""

from __future__ import annotations

from typing import Any

import pytest

from lb.errors import ProxyError
from tests.http.twins import import_sources

scan, known = import_sources("lb.http.scan", "lb.http.known")

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
    heads: Any = known.Known()
    limits = scan.Limits()

    def find(text: bytes) -> object:
        return heads.get(text) or heads.look_further(text, limits)

    heads.keep(_HEAD, "asked for")
    heads.limits = limits
    heads.keep(b"once", "once")
    for number in range(2000):
        heads.keep(b"%d" % number, number)
        assert find(_HEAD) == "asked for"
        assert len(heads) + len(heads._older) <= 512
    assert find(b"once") is None
    heads.keep(b"x" * 4000, "long")
    assert find(b"x" * 4000) is None
