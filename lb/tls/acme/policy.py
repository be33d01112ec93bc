"""When a certificate is renewed, and when a failed attempt is repeated. Pure: time and randomness are passed in.

This file knows seconds since the epoch. It does not know names, stores or CAs.

The limits behind the numbers are Let's Encrypt's: five failed validations of a name in an hour, five certificates for
the same names in a week, 300 orders in three hours. The model was Caddy's schedule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from lb.tls.acme.errors import AcmeError, Kind

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

_SHORT_LIVED = 10 * DAY  # certificates with a lifetime up to this are renewed at half of it
_JITTER = 0.03  # of a lifetime, earlier: certificates issued together are not renewed together
_LONGEST_ASKED = 8 * DAY  # the longest Retry-After that is followed: a CA's longest limits are a week

# Seconds until the next attempt, after the first failure in a row, the second …; the last one repeats.
_SCHEDULES: dict[Kind, tuple[float, ...]] = {
    # Counts against no limit; ends within minutes of the CA's return, and within the hour after a long outage.
    Kind.UNREACHABLE: (30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE, 45 * MINUTE),
    # Without a Retry-After.
    Kind.BUSY: (10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR),
    # At most four failed validations in any hour, where five are allowed.
    Kind.UNPROVEN: (2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR),
    # The operator has to act first.
    Kind.REFUSED: (10 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR),
    Kind.HERE: (10, 30, MINUTE, 5 * MINUTE, 15 * MINUTE),
}
_REPEATS_FOR_ANOTHER = 3  # failures in a row, of a renewal that is not urgent, before another CA is asked


@dataclass(frozen=True, slots=True)
class Window:
    """When the CA wants a renewal (RFC 9773 section 4.2)."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Failure:
    """`count` failures in a row with one CA, the last one at `at`; not tried again before `next_at`."""

    ca: str
    kind: Kind
    message: str
    count: int
    at: float
    next_at: float

    def holds_back(self, now: float) -> bool:
        """Whether to wait still. If the clock was set back to before the failure, nothing waits."""
        return self.at - HOUR <= now < self.next_at


def chance(*parts: object) -> float:
    """A number from 0 up to 1 that is always the same for the same parts: a restart does not draw another."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


def renewal_time(not_before: float, not_after: float, window: Window | None, luck: float) -> float:
    """When to renew a certificate: within the CA's window, else at two thirds of its lifetime, half of a short one.

    Never so late that a CA outage of a day matters, whatever the CA suggests; and not in the certificate's first hours,
    since a CA that always says "at once" would be asked forever.
    """
    lifetime = max(not_after - not_before, 0.0)
    latest = not_after - reserve(lifetime)
    if window is not None and window.start < window.end:
        wanted = window.start + luck * (window.end - window.start)
    else:
        wanted = not_before + lifetime * ((1 / 2 if lifetime <= _SHORT_LIVED else 2 / 3) - _JITTER * luck)
    return min(max(wanted, not_before + min(12 * HOUR, lifetime / 8)), latest)


def reserve(lifetime: float) -> float:
    """What must be left of a lifetime when renewal begins: two days at least, unless the whole lifetime is short."""
    return min(max(2 * DAY, lifetime / 10), lifetime / 3)


def after_failure(ca: str, error: AcmeError, *, before: Failure | None, now: float, luck: float) -> Failure:
    """The failure that follows `before`, with the time of the next attempt: the schedule's, or later if the CA says so.

    Another kind of failure starts its own schedule, except that a kind that the CA counts never becomes faster by that.
    """
    kind, retry_after = error.kind, error.retry_after
    count = 1 if before is None else before.count + 1
    step = 1 if before is None or (before.kind is not kind and kind is not Kind.UNPROVEN) else count
    schedule = _SCHEDULES[kind]
    wait = schedule[min(step, len(schedule)) - 1] * (1 + 0.1 * luck)
    if retry_after is not None:
        wait = max(wait if kind is not Kind.BUSY else 1.0, min(retry_after, _LONGEST_ASKED) * (1 + 0.01 * luck))
    return Failure(ca, kind, error.message, count, now, now + wait)


def pick(cas: Sequence[str], failures: Sequence[Failure], *, now: float, urgent: bool) -> tuple[str | None, float]:
    """(the CA to ask now or None, when the next one may be asked). `cas` are in order of preference.

    A CA after the first is asked only when those before it have failed: at once if it is `urgent` (there is no valid
    certificate, or not for long), otherwise after some failures in a row. A proof that the first one could not see is
    shown to it again first: another CA would not see it either.
    """
    by_ca = {failure.ca: failure for failure in failures}
    soonest = float("inf")
    for ca in cas:
        failure = by_ca.get(ca)
        if failure is None or not failure.holds_back(now):
            return ca, now
        soonest = min(soonest, failure.next_at)
        failures_needed = 1 if urgent and failure.kind is not Kind.UNPROVEN else _REPEATS_FOR_ANOTHER
        if failure.count < failures_needed:
            break
    return None, soonest


def is_urgent(not_after: float | None, lifetime: float, now: float) -> bool:
    """Whether there is no valid certificate, or half of the reserve is gone."""
    return not_after is None or now > not_after - reserve(lifetime) / 2
