"""Fields, origins and statuses of errors, as they may be written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lb.config.field_settings import CorsSettings, FieldSettings, RequestFields, ResponseFields


@pytest.mark.parametrize("name", ["Content-Length", "Connection", "a b", "", "X-Real-IP"])
def test_a_request_field_that_nobody_may_change(name: str) -> None:
    with pytest.raises(ValidationError):
        RequestFields(remove=(name,))
    with pytest.raises(ValidationError):
        RequestFields(set={name: "x"})


@pytest.mark.parametrize("value", ["a\nb", "a\0", None, ["a"], {"a": "b"}])
def test_a_value_is_one_line(value: Any) -> None:
    with pytest.raises(ValidationError):
        ResponseFields(set={"X-A": value})


def test_a_value_is_what_stands_there() -> None:
    assert ResponseFields(set={"X-A": 1, "X-B": "  a b "}).set == {"X-A": "1", "X-B": "a b"}  # type: ignore[dict-item]


def test_without_settings_nothing_is_changed() -> None:
    fields = FieldSettings()
    assert fields.request == RequestFields()
    assert fields.response == ResponseFields()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("*", ("*",)),
        ("https://App.example.com", ("https://app.example.com",)),
        (["https://a.example", "http://localhost:3000"], ("https://a.example", "http://localhost:3000")),
        ("https://*.example.org", ("https://*.example.org",)),
    ],
)
def test_origins(written: Any, read: tuple[str, ...]) -> None:
    assert CorsSettings(origins=written).origins == read


@pytest.mark.parametrize(
    "written", ["app.example.com", "https://", "https://a.example/path", "https://a*.example", [], 1]
)
def test_what_is_no_origin(written: Any) -> None:
    with pytest.raises(ValidationError):
        CorsSettings(origins=written)


def test_a_browser_remembers_for_a_week_at_most() -> None:
    assert CorsSettings(origins=("*",), max_age="7d").max_age == 7 * 86400  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        CorsSettings(origins=("*",), max_age="8d")  # type: ignore[arg-type]
