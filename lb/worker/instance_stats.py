"""A worker's report of its instances for metrics, once a second and off the request path."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from lb.routing.environment import Environment
from lb.routing.members import Member
from lb.routing.registry import Registry
from lb.telemetry.instance_gauges import NUMBERS, GaugePage, digest

EVERY = 1.0
"""Seconds between two reports."""


class InstanceStats:
    """Writes the instances of `registry`, of whichever configuration, to `page`."""

    def __init__(self, registry: Registry, page: GaugePage) -> None:
        self._registry = registry
        self._page = page
        self._members: Mapping[Environment, Sequence[Member]] | None = None
        self._about = digest(())

    def write(self, now: float) -> None:
        """Write the state of the instances; `now` in seconds of the monotonic clock."""
        members = self._registry.members
        if members is not self._members:  # a commit makes a new one
            self._members = members
            self._about = digest(
                (environment.app.decode(), environment.name.decode(), member.text)
                for environment, of_it in members.items()
                for member in of_it
                if environment.deployment is None
            )
        figures = array("i")
        for environment, of_it in members.items():
            for member in () if environment.deployment is not None else of_it:
                up = in_flight = failing = failed_at = 0
                cause = ""
                for instance in member.instances.values():
                    up += instance.is_up(now) and not instance.failing
                    in_flight += instance.inflight
                    failing += instance.failing
                    if instance.failed_at > failed_at:
                        failed_at, cause = int(instance.failed_at), instance.cause
                figures.extend((len(member.instances), up, in_flight, failing, NUMBERS.get(cause, 0), failed_at))
        self._page.store(self._about, figures)
