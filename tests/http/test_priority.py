"""The Priority field: what counts in it, and that what cannot be read says nothing (RFC 9218 4)."""

from __future__ import annotations

import time

import pytest

from lb.http.priority import DEFAULT, merge_priority, parse_priority


@pytest.mark.parametrize(
    ("value", "urgency", "incremental"),
    [
        (b"", 3, False),
        (b"u=0", 0, False),
        (b"u=7, i", 7, True),
        (b"i", 3, True),
        (b"i=?0", 3, False),
        (b"i=?1,u=2", 2, True),
        (b"u=1;x=2, i;y", 1, True),
        (b"  u=5 , i  ", 5, True),
        (b"u=1, u=4", 4, False),  # RFC 8941 3.2: the last one counts
        (b"x, u=2", 2, False),
        (b'x="a, u=1", u=4', 4, False),
        (b'x=(a b;q=1 "c"), u=4', 4, False),
        (b"x=:aGk=:, y=token/1, z=1.5, u=4", 4, False),
        # of the wrong type, or out of bounds: as if it were not there
        (b"u=8", 3, False),
        (b"u=-1", 3, False),
        (b"u=1.0", 3, False),
        (b"u", 3, False),
        (b"u=(1)", 3, False),
        (b"i=1", 3, False),
        (b"i=yes", 3, False),
        # no dictionary at all
        (b"u=0,", 3, False),
        (b"u=0,,i", 3, False),
        (b"u = 0", 3, False),
        (b"U=0", 3, False),
        (b"u=0 i", 3, False),
        (b"u=0, \xff", 3, False),
        (b'u=0, x="', 3, False),
        (b"u=" + b"0" * 2000, 3, False),
    ],
)
def test_what_a_value_says(value: bytes, urgency: int, incremental: bool) -> None:
    # spec: W1
    assert parse_priority(value) == (urgency, incremental)


def test_a_response_changes_only_what_it_says() -> None:
    # spec: W1
    assert merge_priority((1, True), b"u=5") == (5, True)
    assert merge_priority((1, True), b"i=?0") == (1, False)
    assert merge_priority((1, True), b"u=5,") == (1, True)
    assert DEFAULT == (3, False)


def test_a_long_value_costs_little() -> None:
    began = time.perf_counter()
    for value in (b"a;" * 512, b"(" * 1024, b"x=(" + b"a " * 510, b'x="' + b"\\" * 1000, b"u=1, " * 204):
        parse_priority(value)
    assert time.perf_counter() - began < 0.1
