"""The state of the whole service as plain data, for `lb status` and the admin server.

It reads the board and the configuration; the display is decided elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lb.config.model import App, EnvironmentSettings
from lb.config.plan import Plan
from lb.health.deployed_view import deployed_report
from lb.health.view import report
from lb.process.scoreboard import Board
from lb.routing.health_table import HealthTable
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.instance_gauges import InstanceGauges, Name

Status = dict[str, Any]
_Known = tuple[Mapping[tuple[str, str], object], ...]


def state(board: Board) -> str:
    """`starting`, `ready` or `draining`."""
    if board.draining:
        return "draining"
    return "ready" if board.ready() else "starting"


def describe(  # noqa: PLR0913  everything that is known, from wherever it is
    info: Mapping[str, str],
    board: Board,
    listeners: Iterable[str],
    plan: Plan,
    table: HealthTable,
    loads: InstanceGauges,
    *,
    figures: DeployedFigures,
) -> Status:
    """`listeners` are URLs, `info` describes the build. Times are in seconds: `uptime` since the start, a worker's
    `since` and an instance's `failed` since the epoch.
    """
    health = report(plan.health.watched, table)
    traffic = _traffic(plan.instance_names, board, loads)
    deployed = deployed_report(plan.health.deployed, table, figures)
    return {
        **info,
        "state": state(board),
        "supervisor": board.supervisor,
        "uptime": int(time.time()) - board.started,
        "listeners": list(listeners),
        "workers": [asdict(worker) for worker in board.workers()],
        "apps": {name: _app(app, name, (health, traffic, deployed)) for name, app in plan.config.apps.items()},
    }


def _traffic(names: Sequence[Name], board: Board, loads: InstanceGauges) -> dict[tuple[str, str], Status]:
    """By app and environment: each instance's state according to the requests of all workers; empty until a worker has
    reported.
    """
    totals = loads.total(names, [worker.slot for worker in board.workers() if worker.pid])
    ahead = time.time() - time.monotonic()
    found: dict[tuple[str, str], Status] = {}
    for (app, environment, text), load in zip(names, totals, strict=False):
        found.setdefault((app, environment), {})[text] = {
            "up": load.up / load.pairs if load.pairs else 0.0,
            "in_flight": load.in_flight,
            "failing": load.failing / load.pairs if load.pairs else 0.0,
            "cause": load.cause or None,
            "failed": int(load.failed_at + ahead) if load.cause else None,
        }
    return found


def _app(app: App, name: str, known: _Known) -> Status:
    return {
        "domains": [domain.name for domain in app.domains],
        "production": _environment(app.production, (name, "production"), known),
        "staging": _environment(app.staging, (name, "staging"), known),
    }


def _environment(environment: EnvironmentSettings | None, name: tuple[str, str], known: _Known) -> Status | None:
    if environment is None:
        return None
    section = {"balance": environment.balance, "instances": [instance.text for instance in environment.instances]}
    reported = {what: of.get(name) for what, of in zip(("health", "traffic", "deployed"), known, strict=True)}
    return {**section, **{key: value for key, value in reported.items() if value}}
