"""Limits and time-outs of an app's, an environment's or a route's own."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lb.config.own_settings import OwnLimits, OwnTimeouts
from lb.config.rates import Rate


def test_nothing_is_set_without_a_word() -> None:
    assert OwnLimits() == OwnLimits(body=None, client_rate=None, client_burst=None)
    assert OwnTimeouts() == OwnTimeouts(connect=None, response=None, read=None)


def test_values_are_read_as_at_the_top_of_the_file() -> None:
    limits = OwnLimits(body="1G", client_rate="50/s", client_burst=100)  # type: ignore[arg-type]
    assert limits == OwnLimits(body=1 << 30, client_rate=Rate(requests=50, seconds=1.0), client_burst=100)
    assert OwnTimeouts(response="5m").response == 300.0  # type: ignore[arg-type]


def test_no_body_at_all_is_a_limit_and_no_time_at_all_is_none() -> None:
    assert OwnLimits(body=0).body == 0
    with pytest.raises(ValidationError):
        OwnTimeouts(read=0)
