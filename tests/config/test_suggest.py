"""The nearest right name for a wrong one."""

from __future__ import annotations

import pytest

from lb.config.suggest import all_of, any_of, nearest, parse_choice, snake_case
from lb.config.units import BadValueError


@pytest.mark.parametrize(
    ("word", "written"),
    [("accessLog", "access_log"), ("access-log", "access_log"), ("Access Log", "access_log"), ("a" * 200, "a" * 80)],
)
def test_as_keys_are_written(word: str, written: str) -> None:
    assert snake_case(word) == written


@pytest.mark.parametrize(
    ("word", "expected"),
    [("instance", "instances"), ("Instances", "instances"), ("domian", "domains"), ("zzz", None), ("", None)],
)
def test_what_is_most_probably_meant(word: str, expected: str | None) -> None:
    assert nearest(word, ["instances", "domains", "production"]) == expected


def test_several_as_people_say_them() -> None:
    assert any_of(["a"]) == "a"
    assert any_of(["a", "b", "c"]) == "a, b or c"
    assert all_of(["a", "b"]) == "a and b"


def test_one_of_a_few_words() -> None:
    options = ("json", "combined", "off")
    assert parse_choice("json", options) == "json"
    assert parse_choice("no", options) == "off"
    with pytest.raises(BadValueError) as caught:
        parse_choice("jsno", options)
    assert 'did you mean "json"?' in caught.value.message
    assert caught.value.hint == "use json, combined or off"
    with pytest.raises(BadValueError, match="not one of"):
        parse_choice(7, options)
