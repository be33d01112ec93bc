"""Interim responses are bounded by their rate, whatever their number."""

from __future__ import annotations

import pytest

from lb.errors import ProxyError
from lb.proxy.exchange.interim import Interims


@pytest.mark.parametrize("pause", [0.02, 0.5, 20.0])
def test_those_that_take_their_time_have_no_bound(pause: float) -> None:
    # spec: F4
    interims = Interims()
    for number in range(10_000):
        interims.count(1000.0 + number * pause)


def test_many_may_come_at_once() -> None:
    # spec: F4
    interims = Interims()
    for _ in range(100):
        interims.count(1000.0)


@pytest.mark.parametrize("pause", [0.0, 0.001])
def test_a_flood_ends(pause: float) -> None:
    # spec: F5; attack 27
    interims = Interims()

    def count(number: int) -> None:
        for at in range(number):
            interims.count(1000.0 + at * pause)

    with pytest.raises(ProxyError) as caught:
        count(1000)
    assert caught.value.cause.code == "http_protocol_error"
