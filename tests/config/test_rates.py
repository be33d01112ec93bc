"""A rate as it is written, and as it is shown."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from lb.config.rates import Rate, RateValue

_read = TypeAdapter(RateValue).validate_python


@pytest.mark.parametrize(
    ("written", "requests", "seconds", "shown"),
    [("100/s", 100, 1.0, "100/s"), ("600 / m", 600, 60.0, "600/m"), ("1/h", 1, 3600.0, "1/h")],
)
def test_a_rate(written: str, requests: int, seconds: float, shown: str) -> None:
    rate = _read(written)
    assert rate == Rate(requests=requests, seconds=seconds)
    assert str(rate) == shown
    assert _read(rate) is rate


@pytest.mark.parametrize("written", ["100", "0/s", "10/5s", "fast", -1])
def test_what_is_no_rate(written: object) -> None:
    with pytest.raises(ValidationError):
        _read(written)
