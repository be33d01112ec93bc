"""Deployed environments in the health process: what the engine says becomes rows, and what workers and checks see is
told to the engine.

It joins the connection (`engine_link`), the rows (`placing`) and the sums of what workers report (`activity`). It must
not know how an instance is started.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from lb.apps.service.placements import Activity, Applied, InstanceFigures, InstanceVerdict, Placement, WakeWanted
from lb.config.plan import ConfiguredInstance
from lb.health.activity import ActivityTotals
from lb.health.engine_link import EngineLink
from lb.health.placing import Name, Placing
from lb.health.probe import ProbeTarget
from lb.health.usage_reports import UsageReports
from lb.process.every import every
from lb.process.scoreboard import Board
from lb.routing.deployment import RUNNING
from lb.routing.health_table import HEALTHY, UNHEALTHY, HealthTable
from lb.telemetry.deployed_figures import DeployedFigures, EnvironmentTotals
from lb.telemetry.paced_lines import PacedLines

log = logging.getLogger("lb.control")

_LOOK = 0.25  # seconds between two looks at what workers report
_ALL = 10.0  # seconds between two reports of an environment where nothing changes
_OFTEN = 1.0  # and of one that may fall asleep, or where something does change
_GRACE = 10.0  # seconds for an engine to be there after a start: requests for what is not known yet wait meanwhile


class Deployments:
    """`rows_changed` is called when others are to be asked how they are."""

    def __init__(
        self,
        table: HealthTable,
        board: Board,
        figures: DeployedFigures,
        executor: Executor,
        rows_changed: Callable[[], None],
    ) -> None:
        self._lines = PacedLines(log)
        self._placing = Placing(table, self._lines)
        self._table = table
        self._totals = ActivityTotals(board, figures, time.monotonic())
        self._usage = UsageReports(figures.usage)
        self._executor = executor
        self._rows_changed = rows_changed
        self._sections: dict[Name, ConfiguredInstance] = {}
        self._link: EngineLink | None = None
        self._until = time.monotonic() + _GRACE
        self._applied: dict[Name, int] = {}
        self._reported: dict[Name, tuple[float, object]] = {}
        self._verdicts: dict[str, bool] = {}  # of instances, as the engine has them
        self._looking = every(asyncio.get_running_loop(), _LOOK, self._look, self._lines.end_second)

    def configure(self, deployed: Sequence[ConfiguredInstance], file: Path | None) -> None:
        """These are deployed from now on, by the engine of `file`. Their rows are there already."""
        if self._link is not None:
            self._link.reload()  # it has deployed apps, or had some
        self._sections = {(one.app, one.environment): one for one in deployed}
        self._placing.configure(deployed)
        if deployed and file is not None and self._link is None:
            self._until = time.monotonic() + _GRACE
            self._link = EngineLink(file, self._executor, self._lines, self._heard, self._connected, self._lost)

    async def close(self) -> None:
        self._looking.cancel()
        if self._link is not None:
            await self._link.close()

    # What happens here

    def wanted(self, text: str) -> None:
        """A worker says that a request waits: for `APP ENVIRONMENT`."""
        app, _, environment = text.partition(" ")
        if self._link is not None and (app, environment) in self._sections:
            self._link.say(WakeWanted(app, environment))

    def judged(self, subject: ProbeTarget) -> None:
        """The checks say something else of an instance than before."""
        if subject.group in self._sections:
            self._tell_verdicts(subject.group)

    def _tell_verdicts(self, name: Name) -> None:
        if self._link is None or not self._link.is_connected:
            return
        for _, condition, placed in self._placing.rows(name):
            is_healthy = condition.state == HEALTHY
            if (is_healthy or condition.state == UNHEALTHY) and self._verdicts.get(placed.id, True) != is_healthy:
                self._verdicts[placed.id] = is_healthy
                self._link.say(InstanceVerdict(*name, placed.id, is_healthy, "" if is_healthy else condition.error))

    # The engine

    def _connected(self) -> None:
        self._placing.connected()
        self._applied.clear()
        self._reported.clear()
        self._verdicts.clear()
        for name in self._sections:
            self._tell_verdicts(name)

    def _lost(self) -> None:
        self._usage.forget()
        if time.monotonic() >= self._until and self._placing.unanswered():
            self._lines.write(
                logging.ERROR, "no engine runs: start it with lb engine start, for deployed apps to serve"
            )

    def _heard(self, message: Mapping[str, Any]) -> None:
        kind = message.get("event")
        if kind == "usage":
            self._usage.heard(message)
            return
        if kind == "placement":
            placement = Placement.from_json(message)
            changed = self._placing.heard(placement)
            if changed and placement.state == RUNNING:
                self._totals.used((placement.app, placement.environment), time.monotonic())
        else:
            changed = kind == "synchronised" and self._placing.synchronised()
        if changed:
            self._rows_changed()

    # What workers see

    def _look(self) -> None:
        if not self._sections:
            return
        now = time.monotonic()
        ids = {name: frozenset(placed.id for _, _, placed in self._placing.rows(name)) for name in self._sections}
        found = self._totals.collect(ids, now)
        if self._link is None or not self._link.is_connected:
            return
        for name, totals in found.items():
            self._tell_applied(name, totals.generation)
            self._tell_activity(name, totals, now)

    def _tell_applied(self, name: Name, generation: int) -> None:
        """Workers follow the row, and so does the engine hear of nothing that it has not told."""
        if self._link is not None and generation > self._applied.get(name, 0):
            self._applied[name] = generation
            self._link.say(Applied(*name, generation))

    def _tell_activity(self, name: Name, totals: EnvironmentTotals, now: float) -> None:
        told_at, told = self._reported.get(name, (-_ALL, None))
        what = totals.waiting, dict(totals.instances)
        may_sleep = self._sections[name].section.sleep is not None and any(self._placing.rows(name))
        pause = _OFTEN if what != told or may_sleep or totals.waiting else _ALL
        if self._link is None or now - told_at < pause:
            return
        self._reported[name] = now, what
        figures = {
            identity: InstanceFigures(one.in_flight, one.tunnels, one.requests, round(one.seconds, 6), one.failures)
            for identity, one in totals.instances.items()
        }
        self._link.say(Activity(*name, round(totals.idle, 3), totals.waiting, figures))
