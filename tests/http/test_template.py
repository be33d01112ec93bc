"""Placeholders in text: what is read, what is refused, and that nothing can end a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.http.template import PLACEHOLDERS, TemplateError, parse_template

_VALUES = {"host": b"shop.example.com", "path": b"/a", "client": b"192.0.2.1", "rest": b"x/y"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("", b""),
        ("max-age=63072000", b"max-age=63072000"),
        ("{host}", b"shop.example.com"),
        ("https://{host}{path}", b"https://shop.example.com/a"),
        ("{client}{client}", b"192.0.2.1192.0.2.1"),
        ('{{"to": "{host}"}}', b'{"to": "shop.example.com"}'),
        ("ü", "ü".encode()),
    ],
)
def test_placeholders_are_filled_in(text: str, filled: bytes) -> None:
    assert parse_template(text).fill(_VALUES.__getitem__) == filled


def test_a_route_adds_its_own_names() -> None:
    assert parse_template("/{rest}", (*PLACEHOLDERS, "rest")).fill(_VALUES.__getitem__) == b"/x/y"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{hots}", "no placeholder {hots}"),
        ("{rest}", "no placeholder {rest}"),
        ("{", "brace alone"),
        ("a}", "brace alone"),
        ("{a b}", "brace alone"),
        ("a\r\nSet-Cookie: b", "control character"),
        ("a\0", "control character"),
    ],
)
def test_what_is_no_template_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(TemplateError, match=says):
        parse_template(text)


@given(st.binary())
def test_no_value_can_end_a_line(value: bytes) -> None:
    filled = parse_template("a{host}b").fill(lambda _: value)
    assert not set(filled) & {0, 10, 13, 127}
