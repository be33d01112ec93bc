"""Conditional requests (RFC 9110 section 13), as a table of fields and outcomes."""

from __future__ import annotations

import pytest

from lb.http.conditions import Fields, Precondition, Validators, conditions_in, evaluate, range_holds

NOW = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT
OURS = Validators(b'"v1"', NOW)
SAME = b"Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = b"Sun, 06 Nov 1994 08:49:36 GMT"
LATER = b"Sun, 06 Nov 1994 08:49:38 GMT"
GO_ON, NOT_MODIFIED, FAILED = Precondition.GO_ON, Precondition.NOT_MODIFIED, Precondition.FAILED


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, GO_ON),
        ({b"if-none-match": b'"v1"'}, NOT_MODIFIED),
        ({b"if-none-match": b'W/"v1"'}, NOT_MODIFIED),
        ({b"if-none-match": b'"v0", W/"v2" , "v1"'}, NOT_MODIFIED),
        ({b"if-none-match": b"*"}, NOT_MODIFIED),
        ({b"if-none-match": b'"v2"'}, GO_ON),
        ({b"if-none-match": b'"a,"v1"'}, GO_ON),
        ({b"if-none-match": b"v1"}, GO_ON),
        ({b"if-none-match": b'"v2"', b"if-modified-since": SAME}, GO_ON),
        ({b"if-modified-since": SAME}, NOT_MODIFIED),
        ({b"if-modified-since": LATER}, NOT_MODIFIED),
        ({b"if-modified-since": EARLIER}, GO_ON),
        ({b"if-modified-since": b"Sunday, 06-Nov-94 08:49:37 GMT"}, NOT_MODIFIED),
        ({b"if-modified-since": b"Sun Nov  6 08:49:37 1994"}, NOT_MODIFIED),
        ({b"if-modified-since": b"yesterday"}, GO_ON),
        ({b"if-modified-since": b""}, GO_ON),
        ({b"if-modified-since": b"Sun, 99 Nov 99999 99:99:99 GMT"}, GO_ON),
        ({b"if-modified-since": b"\xff\xfe"}, GO_ON),
        ({b"if-modified-since": b"1" * 5000}, GO_ON),
        ({b"if-match": b'"v1"'}, GO_ON),
        ({b"if-match": b"*"}, GO_ON),
        ({b"if-match": b'"v2", "v1"'}, GO_ON),
        ({b"if-match": b'"v2"'}, FAILED),
        ({b"if-match": b'W/"v1"'}, FAILED),
        ({b"if-match": b""}, FAILED),
        ({b"if-match": b'"v1"', b"if-none-match": b'"v1"'}, NOT_MODIFIED),
        ({b"if-match": b'"v2"', b"if-none-match": b'"v1"'}, FAILED),
        ({b"if-unmodified-since": SAME}, GO_ON),
        ({b"if-unmodified-since": EARLIER}, FAILED),
        ({b"if-unmodified-since": b"never"}, GO_ON),
        ({b"if-match": b'"v1"', b"if-unmodified-since": EARLIER}, GO_ON),
    ],
)
def test_conditions_decide(fields: Fields, outcome: Precondition) -> None:
    assert evaluate(fields, OURS) is outcome


@pytest.mark.parametrize(
    ("value", "age", "holds"),
    [
        (b'"v1"', 0.0, True),
        (b'W/"v1"', 100.0, False),
        (b'"v2"', 100.0, False),
        (SAME, 100.0, True),
        (SAME, 0.5, False),
        (LATER, 100.0, False),
        (EARLIER, 100.0, False),
        (b"never", 100.0, False),
    ],
)
def test_a_range_is_of_what_the_client_has(value: bytes, age: float, holds: bool) -> None:
    assert range_holds({b"if-range": value}, OURS, NOW + age) is holds


def test_without_if_range_a_range_holds() -> None:
    assert range_holds({}, OURS, NOW)


def test_fields_are_found_in_any_case_and_lists_on_several_lines_are_one() -> None:
    kept = b'GET / HTTP/1.1\r\nIF-None-Match: "a"\r\nAccept: if-range\r\nif-none-match:"b" \r\nRange: bytes=0-1\r\n'
    assert conditions_in(kept) == {b"if-none-match": b'"a", "b"', b"range": b"bytes=0-1"}


def test_a_single_field_that_comes_twice_is_none() -> None:
    kept = b"GET / HTTP/1.1\r\nRange: bytes=0-1\r\nrange: bytes=2-3\r\nRANGE: bytes=4-5\r\n"
    assert conditions_in(kept) == {}
