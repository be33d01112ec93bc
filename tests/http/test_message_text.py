"""What is known of a decoded field, and of a message before it is whole (`test_hpack` has what becomes of messages)."""

from __future__ import annotations

import pytest

from lb.http.head import Limits
from lb.http.hpack_tables import BAD, BLANK, COOKIE, FINE, HOP, PATH, PLAIN, UNKNOWN, VALUE
from lb.http.message_text import DISCARD, REQUEST, DecodedField, MessageText


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"accept", PLAIN),
        (b":path", PATH),
        (b":paths", UNKNOWN),
        (b":", UNKNOWN),
        (b"cookie", COOKIE),
        (b"upgrade", HOP),
        (b"Accept", BAD),
        (b"", BAD),
        (b"a b", BAD),
        (b"a\xff", BAD),
    ],
)
def test_what_a_name_means(name: bytes, kind: int) -> None:
    assert DecodedField(name, b"").kind == kind


@pytest.mark.parametrize(
    ("value", "fault"),
    [(b"", FINE), (b"a\tb \xff", FINE), (b" a", BLANK), (b"a\t", BLANK), (b"\x7f", VALUE), (b" \n", VALUE)],
)
def test_what_is_wrong_with_a_value(value: bytes, fault: int) -> None:
    field = DecodedField(b"x", value)
    assert field.fault == fault
    assert (field.line, field.size) == (b"x: " + value + b"\r\n", 1 + len(value) + 32)


def test_a_message_grows_by_lines_and_a_discarded_one_does_not() -> None:
    for form, text in ((REQUEST, b"GET / HTTP/1.1\r\na: b\r\n"), (DISCARD, b"")):
        message = MessageText(form, Limits(), 200)
        for name, value in ((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b"a", b"b")):
            message.add(DecodedField(name, value))
        message.conclude()
        assert message.so_far() == text
