"""What the engine says instances use → the page that metrics and status read.

While no engine is connected nothing is known: old figures would look like new ones. This file knows the event
(`lb.apps.service.placements`) and the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lb.telemetry.deployed_usage import InstanceUsage, UsagePage

EnvironmentName = tuple[str, str]


class UsageReports:
    """Of all environments, each as it was reported last."""

    def __init__(self, page: UsagePage) -> None:
        self._page = page
        self._reported: dict[EnvironmentName, dict[str, InstanceUsage]] = {}
        page.store({})  # the health process before this one may have left something

    def heard(self, message: Mapping[str, Any]) -> None:
        """An event `usage`. Raises KeyError, TypeError or ValueError where it is none."""
        name = str(message["app"]), str(message["environment"])
        self._reported[name] = {str(key): _usage(one) for key, one in dict(message["instances"]).items()}
        self._page.store({key: one for instances in self._reported.values() for key, one in instances.items()})

    def forget(self) -> None:
        """The engine is away."""
        if self._reported:
            self._reported.clear()
            self._page.store({})


def _usage(one: Mapping[str, Any]) -> InstanceUsage:
    return InstanceUsage(
        int(one["memory"]),
        float(one["cpu"]),
        int(one.get("files", -1)),
        int(one.get("processes", 0)),
        int(one.get("restarts", 0)),
        str(one.get("last_cause", "")),
    )
