"""How many requests may be sent again, by a clock that the test turns (F2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.routing.budget import RetryBudget
from tests.routing.instances import NOW


def spend(budget: RetryBudget, requests: int, now: float) -> int:
    """Each request wants to be sent again: how many may."""
    allowed = 0
    for _ in range(requests):
        budget.request(now)
        allowed += budget.allows(now)
    return allowed


@pytest.mark.parametrize(("share", "requests", "allowed"), [(0.2, 1000, 200), (0.5, 1000, 500), (1.0, 100, 100)])
def test_a_share_of_the_requests(share: float, requests: int, allowed: int) -> None:
    # spec: F2
    assert spend(RetryBudget(share), requests, NOW) == allowed


def test_few_requests_have_their_retries() -> None:
    # spec: F2
    budget = RetryBudget(0.2)
    assert spend(budget, 5, NOW) == 5
    assert spend(budget, 40, NOW) == 5  # ten in all


def test_what_was_spent_comes_back_with_time_and_not_at_a_stroke() -> None:
    # spec: F2
    budget = RetryBudget(0.2)
    assert spend(budget, 20, NOW) == 10
    assert not budget.allows(NOW + 9.9)
    assert spend(budget, 20, NOW + 10) == 0
    assert 3 <= spend(budget, 20, NOW + 15) <= 6
    assert spend(budget, 20, NOW + 100) == 10


def test_the_window_before_counts_for_the_part_of_it_that_is_not_ten_seconds_old() -> None:
    # spec: F2
    requests, retries = RetryBudget(0.2), RetryBudget(0.2)
    for _ in range(1000):
        requests.request(NOW)
    assert sum(requests.allows(NOW + 15) for _ in range(1000)) == 100  # a fifth of the half of them
    assert spend(retries, 1000, NOW) == 200
    assert not retries.allows(NOW + 15)
    assert sum(retries.allows(NOW + 19) for _ in range(1000)) == 0  # a tenth of either


def test_a_quiet_hour_saves_nothing_up() -> None:
    # spec: F2
    budget = RetryBudget(0.2)
    for second in range(3600):
        for _ in range(10):
            budget.request(NOW + second)
    allowed = 0
    while budget.allows(NOW + 3600):
        allowed += 1
    assert allowed <= 40  # of the 200 requests of the last two windows


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 40), st.booleans()), max_size=60))
def test_never_much_more_than_the_share(steps: list[tuple[float, int, bool]]) -> None:
    # spec: F2
    budget, now = RetryBudget(0.2), NOW
    requests: list[float] = []
    retries: list[float] = []
    for pause, count, retry in steps:
        now += pause
        for _ in range(count):
            requests.append(now)
            budget.request(now)
            if retry and budget.allows(now):
                retries.append(now)
        recent = [time for time in retries if time > now - 10]
        seen = [time for time in requests if time > now - 30]
        assert len(recent) <= 2 * max(10, 0.2 * len(seen))
