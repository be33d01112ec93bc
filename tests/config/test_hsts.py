"""How Strict-Transport-Security is written, and what it says."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lb.config.hsts import Hsts

_READ = TypeAdapter[Any](Hsts)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (True, "max-age=31536000"),
        ("on", "max-age=31536000"),
        ("2d", "max-age=172800"),
        (60, "max-age=60"),
        ({"max_age": 0}, "max-age=0"),
        ({"subdomains": True}, "max-age=31536000; includeSubDomains"),
        ({"max_age": "730d", "subdomains": True, "preload": True}, "max-age=63072000; includeSubDomains; preload"),
    ],
)
def test_the_value(written: object, value: str) -> None:
    assert _READ.validate_python(written).value == value


@pytest.mark.parametrize("written", [False, "off", None])
def test_nothing_is_sent(written: object) -> None:
    assert _READ.validate_python(written) is None


@pytest.mark.parametrize("written", ["for ever", "4000d", {"max_age": -1}, {"max-age": 1}])
def test_what_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        _READ.validate_python(written)
