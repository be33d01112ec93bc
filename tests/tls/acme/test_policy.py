"""When certificates are renewed and failed attempts repeated: tables over times that pass without waiting."""

from __future__ import annotations

import itertools

import pytest

from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.acme.policy import (
    DAY,
    HOUR,
    MINUTE,
    Failure,
    Window,
    after_failure,
    chance,
    is_urgent,
    pick,
    renewal_time,
    reserve,
)

FIRST, SECOND = "https://one.example/dir", "https://two.example/dir"


@pytest.mark.parametrize(
    ("lifetime", "luck", "expected"),
    [
        (90 * DAY, 0.0, 60 * DAY),
        (90 * DAY, 1.0, 57.3 * DAY),
        (45 * DAY, 0.0, 30 * DAY),
        (6 * DAY, 0.0, 3 * DAY),
        (6 * DAY, 1.0, 2.82 * DAY),
        (HOUR, 0.0, HOUR / 2),
        (10 * 365 * DAY, 0.0, 10 * 365 * DAY * 2 / 3),
    ],
)
def test_without_a_word_of_the_ca(lifetime: float, luck: float, expected: float) -> None:
    # spec: T5
    assert renewal_time(1e9, 1e9 + lifetime, None, luck) == pytest.approx(1e9 + expected)


@pytest.mark.parametrize(
    ("window", "luck", "expected"),
    [
        (Window(50 * DAY, 52 * DAY), 0.0, 50 * DAY),
        (Window(50 * DAY, 52 * DAY), 0.5, 51 * DAY),
        (Window(-5 * DAY, -4 * DAY), 0.5, 12 * HOUR),  # revoked: at once, but a CA that always says so is not hammered
        (Window(89 * DAY, 90 * DAY), 0.5, 81 * DAY),  # too late for a CA that may be down for a day
        (Window(200 * DAY, 201 * DAY), 0.5, 81 * DAY),
        (Window(52 * DAY, 50 * DAY), 0.0, 60 * DAY),  # no window at all
    ],
)
def test_within_the_ca_s_window(window: Window, luck: float, expected: float) -> None:
    # spec: T5
    assert renewal_time(0, 90 * DAY, window, luck) == pytest.approx(expected)


@pytest.mark.parametrize("lifetime", [HOUR, DAY, 3 * DAY, 6 * DAY, 10 * DAY, 45 * DAY, 64 * DAY, 90 * DAY, 398 * DAY])
@pytest.mark.parametrize("luck", [0.0, 0.5, 0.999])
def test_a_failing_day_never_matters(lifetime: float, luck: float) -> None:
    # spec: T5
    for window in (None, Window(0, 1), Window(lifetime - 2, lifetime - 1), Window(lifetime * 2, lifetime * 3)):
        left = lifetime - renewal_time(0, lifetime, window, luck)
        assert left >= reserve(lifetime) > 0
        if lifetime >= 6 * DAY:
            assert left >= 2 * DAY


def test_what_was_issued_together_is_not_renewed_together() -> None:
    times = {renewal_time(0, 90 * DAY, None, chance(f"{number}.example.com")) for number in range(200)}
    assert len(times) == 200
    assert max(times) - min(times) > 2 * DAY


def attempts(kind: Kind, until: float, retry_after: float | None = None) -> list[float]:
    """The times of attempts that all fail alike, from 0 on."""
    times, failure, now = [0.0], None, 0.0
    while now < until:
        failure = after_failure(FIRST, AcmeError(kind, "x", retry_after=retry_after), before=failure, now=now, luck=0.0)
        now = failure.next_at
        times.append(now)
    return times


def busiest(times: list[float], span: float) -> int:
    return max(sum(start <= time < start + span for time in times) for start in times)


def test_failed_proofs_stay_under_the_ca_s_limit() -> None:
    # spec: T5
    times = attempts(Kind.UNPROVEN, 7 * DAY)
    assert busiest(times, HOUR) <= 4  # Let's Encrypt: five an hour
    assert busiest(times, 7 * DAY) <= 40


def test_a_broken_ca_is_not_hammered_and_its_return_is_not_missed() -> None:
    # spec: T5
    times = attempts(Kind.UNREACHABLE, DAY)
    assert len(times) < 45
    assert all(later - earlier <= 50 * MINUTE for earlier, later in itertools.pairwise(times))
    assert sum(time < 10 * MINUTE for time in times) >= 4


@pytest.mark.parametrize("kind", list(Kind))
def test_waits_grow_and_end(kind: Kind) -> None:
    waits = [later - earlier for earlier, later in itertools.pairwise(attempts(kind, 30 * DAY))]
    assert all(later >= earlier - 1e-3 for earlier, later in itertools.pairwise(waits))
    assert waits[-1] <= 6 * HOUR


@pytest.mark.parametrize(("asked", "waited"), [(120.0, 120.0), (5 * DAY, 5 * DAY), (400 * DAY, 8 * DAY), (0.0, 1.0)])
def test_a_busy_ca_says_when(asked: float, waited: float) -> None:
    # spec: T5
    error = AcmeError(Kind.BUSY, "x", retry_after=asked)
    assert after_failure(FIRST, error, before=None, now=0, luck=0).next_at == pytest.approx(waited)


def test_another_kind_of_failure_begins_anew_but_failed_proofs_never_do() -> None:
    failure = None
    for _ in range(5):
        failure = after_failure(FIRST, AcmeError(Kind.UNREACHABLE, "x"), before=failure, now=0, luck=0)
    refused = after_failure(FIRST, AcmeError(Kind.REFUSED, "x"), before=failure, now=0, luck=0)
    assert refused.next_at == 10 * MINUTE
    assert refused.count == 6
    unproven = after_failure(FIRST, AcmeError(Kind.UNPROVEN, "x"), before=failure, now=0, luck=0)
    assert unproven.next_at > HOUR


def failed(ca: str, kind: Kind = Kind.UNREACHABLE, count: int = 1, at: float = 0.0, next_at: float = 100.0) -> Failure:
    return Failure(ca, kind, "x", count, at, next_at)


@pytest.mark.parametrize(
    ("failures", "urgent", "expected"),
    [
        ([], False, FIRST),
        ([failed(FIRST)], False, None),  # a renewal has time
        ([failed(FIRST, count=3)], False, SECOND),
        ([failed(FIRST)], True, SECOND),  # no certificate at all: the other one at once
        ([failed(FIRST, Kind.UNPROVEN)], True, None),  # the other one would not see it either
        ([failed(FIRST, Kind.UNPROVEN, 3)], True, SECOND),
        ([failed(FIRST, next_at=9)], True, FIRST),
        ([failed(FIRST), failed(SECOND)], True, None),
        ([failed(SECOND)], True, FIRST),
    ],
)
def test_which_ca_is_asked(failures: list[Failure], urgent: bool, expected: str | None) -> None:
    # spec: T5
    ca, at = pick((FIRST, SECOND), failures, now=10.0, urgent=urgent)
    assert ca == expected
    assert at == (10.0 if expected else 100.0)


def test_a_clock_that_jumps_makes_nobody_wait_for_years() -> None:
    # spec: T5
    year = 365 * DAY
    failure = failed(FIRST, at=year, next_at=year + HOUR)  # noted while the clock was a year ahead
    assert pick((FIRST,), [failure], now=0, urgent=True) == (FIRST, 0)
    assert pick((FIRST,), [failure], now=year + 10, urgent=True) == (None, year + HOUR)
    assert pick((FIRST,), [failure], now=2 * year, urgent=True) == (FIRST, 2 * year)


def test_urgent() -> None:
    assert is_urgent(None, 0, 0)
    assert not is_urgent(90 * DAY, 90 * DAY, 80 * DAY)
    assert is_urgent(90 * DAY, 90 * DAY, 86 * DAY)
