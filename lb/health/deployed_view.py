"""What is known of deployed environments, as plain data for the admin server and `lb status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from lb.config.plan import ConfiguredInstance
from lb.routing.deployment import UNKNOWN, read_outlook, read_placed
from lb.routing.health_table import STATES, HealthTable
from lb.telemetry.deployed_figures import DeployedFigures, EnvironmentTotals, InstanceTotals, environment_key
from lb.telemetry.deployed_usage import InstanceUsage

DeployedReport = dict[tuple[str, str], dict[str, Any]]


def deployed_report(
    deployed: Iterable[ConfiguredInstance], table: HealthTable, figures: DeployedFigures
) -> DeployedReport:
    """By app and environment: what the engine says of it, its instances, and what they serve. Times are in seconds;
    `seconds` is the time until responses began, all together; `followed` is the generation that all workers follow;
    `usage` is None for an instance of which the engine has not said anything.
    """
    _, totals = figures.summary.load()
    usage = figures.usage.load()
    found: DeployedReport = {}
    for one in deployed:
        seen = totals.get(environment_key(one.app, one.environment), EnvironmentTotals())
        outlook = read_outlook(table.read(table.find(one.placement)))
        found[one.app, one.environment] = {
            "state": "unknown" if outlook.state == UNKNOWN else outlook.state,
            "release": outlook.release or None,
            "cause": outlook.cause or None,
            "generation": outlook.generation,
            "followed": seen.generation,
            "waiting": seen.waiting,
            "idle": int(seen.idle),
            "instances": [*_instances(one, table, seen, usage)],
        }
    return found


def _instances(
    one: ConfiguredInstance, table: HealthTable, seen: EnvironmentTotals, usage: Mapping[str, InstanceUsage]
) -> list[dict[str, Any]]:
    found = []
    for condition in (table.read(table.find(key)) for key in one.keys):
        placed = read_placed(condition)
        if condition is None or placed is None:
            continue
        figures = seen.instances.get(placed.id, InstanceTotals())
        used = usage.get(placed.id)
        found.append(
            {
                "name": placed.name,
                "id": placed.id,
                "release": placed.release,
                "endpoint": placed.endpoint,
                "state": STATES[condition.state],
                "since": int(condition.since) or None,
                "error": condition.error or None,
                "in_flight": figures.in_flight,
                "tunnels": figures.tunnels,
                "requests": figures.requests,
                "seconds": round(figures.seconds, 3),
                "failures": figures.failures,
                "usage": asdict(used) if used is not None else None,
            }
        )
    return sorted(found, key=lambda one: (len(one["name"]), one["name"]))
