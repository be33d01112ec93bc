"""The instances of a deployed environment in one worker: they come and go with the rows that the engine's words become.

The first row is the environment's own, the others are places for instances. Knows no connection.
"""

from __future__ import annotations

import socket

from lb.routing.deployment import DeployedEnvironment, PlacedRow, read_serving
from lb.routing.health_table import Condition, HealthTable
from lb.routing.instance import Instance
from lb.routing.members import Member


class DeployedMember(Member):
    """All instances of one environment, by the number of their row."""

    __slots__ = ("deployment",)

    def __init__(self, text: str, deployment: DeployedEnvironment) -> None:
        super().__init__(text, "", 0, "")
        self.deployment = deployment

    def follow(self, rows: tuple[int, ...], checked: bool, limit: int, table: HealthTable) -> None:
        """As for any member; there may be fewer rows than before."""
        for number in [number for number in self.instances if number >= len(rows)]:
            del self.instances[number]
        super().follow(rows, checked, limit, table)

    def apply(self, number: int, condition: Condition, now: float) -> Instance | None:
        """As for any member; row 0 says what is to be expected where there is no instance."""
        if number:
            return super().apply(number, condition, now)
        self.deployment.follow(condition)
        return None

    def _identity(self, condition: Condition) -> str:
        return condition.host if read_serving(condition) is not None else ""

    def _make(self, condition: Condition) -> Instance:
        placed = read_serving(condition)
        if placed is None:
            raise ValueError("there is no instance in this row")
        instance = _instance_at(placed)
        instance.identity = placed.id
        return instance


def _instance_at(placed: PlacedRow) -> Instance:
    if placed.endpoint.startswith("unix:"):
        return Instance(placed.key, socket.AF_UNIX, placed.endpoint.removeprefix("unix:"))
    host, _, port = placed.endpoint.rpartition(":")
    host = host.strip("[]")
    return Instance(placed.key, socket.AF_INET6 if ":" in host else socket.AF_INET, (host, int(port)))
