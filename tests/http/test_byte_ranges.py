"""Byte ranges (RFC 9110 section 14): what is asked for, what is not there, and what is not worth it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.http.byte_ranges import Range, content_range, part_heads, ranges_in


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        (None, None),
        (b"bytes=0-0", [(0, 1)]),
        (b"bytes=0-99", [(0, 100)]),
        (b"bytes=0-1000000000000000", [(0, 100)]),
        (b"bytes=90-", [(90, 10)]),
        (b"bytes=-10", [(90, 10)]),
        (b"bytes=-1000", [(0, 100)]),
        (b"BYTES=5-9", [(5, 5)]),
        (b"bytes=0-1, 4-5 ,\t8-9", [(0, 2), (4, 2), (8, 2)]),
        (b"bytes=8-9,0-1", [(8, 2), (0, 2)]),
        (b"bytes=,0-1,", [(0, 2)]),
        (b"bytes=0-1,200-300", [(0, 2)]),
        (b"bytes=100-", []),
        (b"bytes=100-200", []),
        (b"bytes=-0", []),
        (b"bytes=100-,-0", []),
        (b"bytes=0-49,50-99", [(0, 50), (50, 50)]),
        (b"bytes=0-,0-", None),
        (b"bytes=0-50,50-99", None),
        (b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(64)), [(n, 1) for n in range(64)]),
        (b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(65)), None),
        (b"bytes=" + b"0-0," * 600, None),
        (b"bytes=9-5", None),
        (b"bytes=", None),
        (b"bytes=,", None),
        (b"bytes=a-b", None),
        (b"bytes=0-1,x", None),
        (b"bytes=--1", None),
        (b"bytes=-", None),
        (b"bytes 0-1", None),
        (b"items=0-1", None),
        (b"bytes=0-1;2-3", None),
        (b"bytes=99999999999999999999-", None),
        (b"", None),
    ],
)
def test_ranges_of_a_hundred_bytes(value: bytes | None, ranges: list[Range] | None) -> None:
    assert ranges_in(value, 100) == ranges


def test_nothing_of_an_empty_file_can_be_asked_for() -> None:
    assert ranges_in(b"bytes=0-", 0) == []
    assert ranges_in(b"bytes=-5", 0) == []


@given(st.text("0123456789-, bytes=", max_size=40), st.integers(0, 200))
def test_what_is_found_is_there(text: str, size: int) -> None:
    found = ranges_in(b"bytes=" + text.encode(), size)
    for start, length in found or ():
        assert length > 0
        assert 0 <= start <= start + length <= size
    assert sum(length for _, length in found or ()) <= size


def test_the_place_of_a_part_is_told() -> None:
    assert content_range((10, 5), 100) == b"bytes 10-14/100"


def test_parts_have_heads_and_an_end() -> None:
    assert part_heads([(0, 2), (98, 2)], 100, b"text/plain", b"xyz") == [
        b"\r\n--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/100\r\n\r\n",
        b"\r\n--xyz\r\nContent-Type: text/plain\r\nContent-Range: bytes 98-99/100\r\n\r\n",
        b"\r\n--xyz--\r\n",
    ]
