"""Log lines about instances that fail, and that work again (E3): one line each, whichever worker notices.

It knows the results of passive failover, and what other workers have logged already. It does nothing for requests that
succeed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from lb.errors import CAUSES
from lb.routing.environment import Environment
from lb.routing.instance import Instance
from lb.routing.outlier import BAD_ANSWER
from lb.telemetry.failure_notices import FailureNotices
from lb.telemetry.instance_gauges import Name
from lb.telemetry.paced_lines import PacedLines

log = logging.getLogger("lb.worker")


class InstanceFailures:
    """Called by the instances of a registry (`Registry.observe`); `clock` is the monotonic one."""

    def __init__(self, said: FailureNotices, clock: Callable[[], float] = time.monotonic) -> None:
        self._said = said
        self._clock = clock
        self._lines = PacedLines(log, clock)
        self._failing: dict[Instance, Environment] = {}

    def __call__(self, environment: Environment, instance: Instance) -> None:
        """`failing` of this instance has changed."""
        if instance.failing:
            self._failing[instance] = environment
            self._tell(environment, instance)
            return
        self._failing.pop(instance, None)
        seconds = self._said.works(_name(environment, instance), self._clock())
        if seconds:
            self._lines.write(logging.INFO, f"{title(environment, instance)} works again, after {seconds:.0f} s")

    def look(self) -> None:
        """Once a second: logs what could not be logged at once, and keeps alive what was."""
        for instance, environment in list(self._failing.items()):
            if instance.retired:
                del self._failing[instance]
            else:
                self._tell(environment, instance)
        self._lines.end_second()

    def _tell(self, environment: Environment, instance: Instance) -> None:
        now = self._clock()
        if self._said.fails(_name(environment, instance), instance.failed_at, now):
            self._lines.write(logging.WARNING, f"{title(environment, instance)} {_failing(instance, now)}")


def title(environment: Environment, instance: Instance) -> str:
    """Its name in the log."""
    return f"app {' '.join(_name(environment, instance))}"


def _name(environment: Environment, instance: Instance) -> Name:
    return environment.app.decode(), environment.name.decode(), instance.key


def _failing(instance: Instance, now: float) -> str:
    """What happens to the instance, why, and what to do."""
    if instance.down_until > now:
        what = f"is passed over for {instance.pause:g} s, and then gets one request"
    else:
        what = "fails, and no other instance can serve in its place"
    if instance.cause == BAD_ANSWER:
        return f"{what}: it answered late, or with a status that unhealthy_status names ({BAD_ANSWER})"
    cause = CAUSES[instance.cause]
    return f"{what}: {cause.sentence.removesuffix('.')} ({cause.code}). {cause.mend}"
