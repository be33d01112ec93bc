"""What counts as a failure of an instance, and how many of them may be passed over for it (F1).

There are two kinds. An instance that cannot be reached, breaks off or does not answer at all is useless, and only the
last one is kept. One that answers late or with a status that the operator calls unhealthy still serves; passing it
over puts its load on the others, which may be just as late for the same reason, so this happens to half of the
instances at most (as with Envoy's max_ejection_percent).
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.routing.instance import Instance

BAD_ANSWER = "unhealthy_answer"
"""The cause for an instance that did answer, but late or with a status that the operator calls unhealthy."""

_GROWTH = 10.0  # the longest pause, in first pauses


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """Answers that count as failures: with a head that comes later than `latency` seconds (0: never too late), or with
    one of `statuses`.
    """

    latency: float
    statuses: frozenset[int]

    def means(self, status: int, seconds: float) -> bool:
        """Whether an answer with this status, after this time, is one of them."""
        return status in self.statuses or 0.0 < self.latency < seconds


class OutlierDetector:
    """Counts failures in a row; `max_fails` of them take an instance out for `first` seconds, later for more.

    `unhealthy` is None if no answer counts as a failure.
    """

    __slots__ = ("first", "max_fails", "unhealthy")

    def __init__(self, max_fails: int, first: float, unhealthy: Unhealthy | None) -> None:
        self.max_fails = max_fails
        self.first = first
        self.unhealthy = unhealthy

    def failed(self, instance: Instance, instances: list[Instance], now: float, cause: str) -> None:
        """It could not be reached, broke off, or did not answer: `cause` is the code for that."""
        self._count(instance, instances, len(instances) - 1, now, cause)

    def answered(self, instance: Instance, instances: list[Instance], status: int, seconds: float, now: float) -> None:
        """The head of a response arrived, `seconds` after the request was sent."""
        if self.unhealthy is not None and self.unhealthy.means(status, seconds):
            self._count(instance, instances, len(instances) // 2, now, BAD_ANSWER)
        else:
            instance.worked(now)

    def _count(self, instance: Instance, instances: list[Instance], most: int, now: float, cause: str) -> None:
        """Count one more failure; it is passed over unless `most` others already are."""
        failures = instance.count_failure(now, cause)
        if failures < self.max_fails or not (instance.trying or instance.down_until <= now):
            return  # concurrent requests fail together: that is one reason for a pause, not many
        was_failing = instance.failing
        out = 0
        for other in instances:
            if other is not instance and not other.is_up(now):
                out += 1
        if out < most:
            instance.passed_over(now, self.first, self.first * _GROWTH)
        else:
            instance.serve_on()
        if not was_failing and instance.on_change is not None:
            instance.on_change(instance)
