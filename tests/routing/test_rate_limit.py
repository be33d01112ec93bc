"""The pace of clients with a clock that the test turns: what GCRA promises, and what a flood of addresses can do."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.routing.rate_limit import RateLimit, RateLimiter

# spec: L5

START = 50_000.0


def _allowed(limiter: RateLimiter, times: list[float], pace: RateLimit, key: int = 7) -> list[bool]:
    return [limiter.take(key, START + time, pace) == 0.0 for time in times]


@pytest.mark.parametrize(
    ("interval", "burst", "times", "allowed"),
    [
        (1.0, 1, [0, 0, 0.5, 1, 1.5, 2], [True, False, False, True, False, True]),
        (1.0, 3, [0, 0, 0, 0, 1, 1, 2, 2], [True, True, True, False, True, False, True, False]),
        (1.0, 3, [0, 0, 0, 100, 100, 100, 100], [True, True, True, True, True, True, False]),
        (0.01, 2, [0, 0.004, 0.008, 0.011, 0.019, 0.02], [True, True, False, True, False, True]),
        (60.0, 2, [0, 0, 59, 61, 119, 120, 121], [True, True, False, True, False, True, False]),
    ],
)
def test_a_bucket(interval: float, burst: int, times: list[float], allowed: list[bool]) -> None:
    assert _allowed(RateLimiter(64), times, RateLimit(interval, burst)) == allowed


def test_the_time_to_wait_is_told() -> None:
    limiter, pace = RateLimiter(64), RateLimit(10.0, 2)
    assert [limiter.take(1, START, pace) for _ in range(2)] == [0.0, 0.0]
    assert limiter.take(1, START, pace) == pytest.approx(10.0, abs=1e-5)
    assert limiter.take(1, START + 4, pace) == pytest.approx(6.0, abs=1e-5)
    assert limiter.take(1, START + 10, pace) == 0.0
    assert limiter.take(1, START + 10, pace) == pytest.approx(10.0, abs=1e-5)


_FIGURES = st.tuples(st.sampled_from([0.001, 0.01, 0.1, 1.0, 7.0, 3600.0]), st.integers(1, 20))
_GAPS = st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=120)


@given(_FIGURES, _GAPS)
@settings(deadline=None)
def test_it_is_a_token_bucket(figures: tuple[float, int], gaps: list[float]) -> None:
    """Against the textbook's: tokens that come back with time, at most `burst` of them."""
    interval, burst = figures
    limiter, pace = RateLimiter(64), RateLimit(interval, burst)
    tokens, last, now = float(burst), START, START
    for gap in gaps:
        now += gap * interval
        tokens = min(burst, tokens + (now - last) / interval)
        last = now
        wait = limiter.take(3, now, pace)
        if abs(tokens - 1) < 1e-2:  # too near to call; the model takes what was decided
            tokens -= wait == 0.0
            continue
        assert (wait == 0.0) == (tokens > 1)
        if wait:
            assert wait == pytest.approx((1 - tokens) * interval, rel=0.05, abs=1e-4)
        else:
            tokens -= 1


@given(_FIGURES, _GAPS)
@settings(deadline=None)
def test_who_waits_as_long_as_told_is_let_in(figures: tuple[float, int], gaps: list[float]) -> None:
    interval, burst = figures
    limiter, pace = RateLimiter(64), RateLimit(interval, burst)
    now = START
    for gap in gaps:
        now += gap * interval / 4
        wait = limiter.take(3, now, pace)
        if wait:
            now += max(1, math.ceil(wait))  # as Retry-After says
            assert limiter.take(3, now, pace) == 0.0


@given(_FIGURES, _GAPS)
@settings(deadline=None)
def test_no_window_holds_more_than_the_burst_and_the_rate(figures: tuple[float, int], gaps: list[float]) -> None:
    interval, burst = figures
    limiter, pace = RateLimiter(64), RateLimit(interval, burst)
    now, let_in = START, []
    for gap in gaps:
        now += gap * interval / 8
        if limiter.take(3, now, pace) == 0.0:
            let_in.append(now)
    for first in range(len(let_in)):
        for last in range(first, len(let_in)):
            most = burst + (let_in[last] - let_in[first] + 1e-5) / interval
            assert last - first + 1 <= most + 1e-3


def test_clients_do_not_share() -> None:
    limiter, pace = RateLimiter(1024), RateLimit(1.0, 5)
    for key in (1, -1, 2**63 - 1, -(2**63), 12345):
        assert _allowed(limiter, [0.0] * 6, pace, key) == [True] * 5 + [False]


def test_figures_may_change() -> None:
    # spec: R2: what was counted stays, and a client that was refused for an hour is not when a second would do
    limiter = RateLimiter(64)
    slow, fast = RateLimit(3600.0, 10), RateLimit(0.1, 10)
    assert _allowed(limiter, [0.0] * 11, slow) == [True] * 10 + [False]
    assert limiter.take(7, START, slow) > 3000
    assert limiter.take(7, START, fast) <= 0.1 + 1e-5
    assert limiter.take(7, START + 0.11, fast) == 0.0
    assert limiter.take(7, START + 0.11, fast) > 0


def test_a_flood_of_addresses_does_not_free_who_is_at_his_limit() -> None:
    limiter, pace = RateLimiter(1024), RateLimit(0.01, 100)
    held = [hash(f"held{number}") for number in range(32)]
    for key in held:
        assert _allowed(limiter, [0.0] * 101, pace, key) == [True] * 100 + [False]
    for number in range(100_000):  # a hundred times as many as there are cells
        assert limiter.take(hash(f"flood{number}"), START + 0.1, pace) == 0.0
    freed = [key for key in held if sum(_allowed(limiter, [0.1] * 20, pace, key)) > 10]
    assert freed == []


def test_who_asks_at_the_rate_is_never_refused_in_a_flood() -> None:
    limiter, pace = RateLimiter(1024), RateLimit(0.01, 1)
    now = START
    for turn in range(2000):
        now += 0.01
        assert limiter.take(99, now, pace) == 0.0
        for number in range(20):
            limiter.take(hash((turn, number)), now, pace)


def test_memory_is_of_a_fixed_size() -> None:
    for cells in (0, 2, 3, 1000):
        with pytest.raises(ValueError, match="cells"):
            RateLimiter(cells)


def test_what_is_given_back_does_not_count() -> None:
    limiter, pace = RateLimiter(1024), RateLimit(1.0, 3)
    for _ in range(10):
        assert limiter.take(7, START, pace) == 0.0
        limiter.give_back(7, START, pace)
    assert _allowed(limiter, [0.0] * 4, pace, 7) == [True, True, True, False]
    limiter.give_back(8, START, pace)  # of whom nothing is known
    limiter.give_back(7, START, pace)
    assert _allowed(limiter, [0.0] * 2, pace, 7) == [True, False]
    limiter.give_back(7, START + 100.0, pace)
    assert _allowed(limiter, [100.0] * 4, pace, 7) == [True, True, True, False]
