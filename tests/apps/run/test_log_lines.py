"""The log cutter: whatever the bytes and the pieces, one oracle; and the rate, on a clock of our own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lb.apps.run.log_lines import MINUTE, LineCutter, LineRate


def oracle(data: bytes, longest: int) -> list[str]:
    """What the lines of a whole output are, said without any thought of pieces or of memory."""
    lines = data.decode("utf-8", "replace").replace("\0", "\ufffd").split("\n")
    ended, last = [line.removesuffix("\r") for line in lines[:-1]], lines[-1]
    return [line[:longest] for line in [*ended, *([last.removesuffix("\r")] if last else [])]]


def cut(pieces: list[bytes], longest: int) -> list[str]:
    cutter = LineCutter(longest)
    return [line for piece in pieces for line in cutter.feed(piece)] + cutter.end()


AWKWARD = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"\0", b"\xe4", b"\xe4\xb8", "中".encode(), "😀".encode(), b"\x1b[31m", b"\xff", b"a" * 9]
)
OUTPUT = st.lists(AWKWARD | st.binary(max_size=12), max_size=30).map(b"".join)


# spec: G1
@given(data=OUTPUT, cuts=st.lists(st.integers(0, 400), max_size=12), longest=st.integers(1, 9))
@example(data="中".encode() * 4 + b"\r\n", cuts=[5], longest=4)
@example(data=b"aaaa\r\n\r\n\r", cuts=[5, 6], longest=4)
def test_any_bytes_in_any_pieces_are_the_same_lines(data: bytes, cuts: list[int], longest: int) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert cut(pieces, longest) == oracle(data, longest)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"no end", ["no end"]),
        (b"\n\n", ["", ""]),
        (b"windows\r\n", ["windows"]),
        (b"10%\r20%\r\n", ["10%\r20%"]),
        (b"a\0b\n", ["a\ufffdb"]),
        (b"caf\xe9\n", ["caf\ufffd"]),
        (b"half \xe4\xb8\n", ["half \ufffd"]),
        (b"\x1b[31mred\x1b[0m\n", ["\x1b[31mred\x1b[0m"]),
    ],
)
def test_lines(data: bytes, lines: list[str]) -> None:
    assert cut([data], 4096) == lines
    assert cut([bytes([byte]) for byte in data], 4096) == lines


# spec: G1
def test_a_line_is_cut_by_characters_not_by_bytes() -> None:
    assert cut(["中".encode() * 5000 + b"\nnext\n"], 4096) == ["中" * 4096, "next"]


def test_an_endless_line_takes_no_memory() -> None:
    cutter = LineCutter(4096)
    for _ in range(1000):
        assert cutter.feed(b"x" * 65536) == []
    assert len(cutter._kept) == 4096 * 4
    assert cutter.feed(b"\nback\n") == ["x" * 4096, "back"]


# spec: G1
def test_600_lines_a_minute_pass_and_the_rest_is_said_once() -> None:
    rate = LineRate(600)
    assert [rate.take(400, 10.0), rate.take(400, 11.0), rate.take(1, 12.0)] == [400, 200, 0]
    assert rate.report(60.0) == ""
    assert rate.due() == 10.0 + MINUTE
    assert rate.report(70.0) == "201 lines were dropped: the app wrote more than 600 lines in a minute"
    assert rate.report(71.0) == ""
    assert rate.due() is None
    assert rate.take(5, 72.0) == 5
    assert (rate.passed, rate.dropped) == (605, 201)


def test_one_dropped_line_is_one_line() -> None:
    rate = LineRate(1)
    rate.take(2, 0.0)
    assert rate.report(1.0, at_once=True) == "1 line was dropped: the app wrote more than 1 lines in a minute"


def test_nothing_is_said_where_nothing_was_dropped() -> None:
    rate = LineRate(3)
    rate.take(3, 0.0)
    assert rate.report(1000.0, at_once=True) == ""
