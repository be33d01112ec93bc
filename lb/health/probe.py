"""Repeated checks of one instance: request, verdict, row in the table, a log line on a change.

Each outcome is written to the table; the table notifies the workers only of changes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from lb.health.check import CheckOutcome, CheckRequest
from lb.health.state import Rules, Verdict
from lb.routing.health_table import EXPECTED, HEALTHY, SERVES, STARTING, UNHEALTHY, Condition, HealthTable
from lb.telemetry.paced_lines import PacedLines

Ask = Callable[[CheckRequest, str], Awaitable[CheckOutcome]]


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """The target of a probe: `row` in the table, `title` for the log, `host` if it is configured by name, `group` is
    its app and environment.
    """

    row: int
    title: str
    host: str
    question: CheckRequest
    rules: Rules
    group: tuple[str, str] = ("", "")


class Probe:
    """Follows one instance; `lines` writes log lines, `ask` runs a check, `judged` is called when the subject's row has
    changed.
    """

    def __init__(
        self,
        subject: ProbeTarget,
        table: HealthTable,
        lines: PacedLines,
        ask: Ask,
        judged: Callable[[ProbeTarget], None] = lambda _: None,
    ) -> None:
        self.subject = subject
        self._table = table
        self._lines = lines
        self._ask = ask
        self._judged = judged
        self._uri = ""  # the one that passed last
        self._reported = False  # the log says that it is not healthy yet
        known = self._condition()
        state = known.state if known.state in (EXPECTED, STARTING, HEALTHY, UNHEALTHY) else EXPECTED
        if state != known.state:
            table.write(subject.row, replace(known, state=state, host=subject.host, since=time.time()))
        self._verdict = Verdict(subject.rules, state, time.monotonic())

    async def run(self) -> float:
        """One check. Returns the seconds until the next."""
        self.judge(await self._check(), time.monotonic(), time.time())
        return self._verdict.next_in(time.monotonic())

    async def _check(self) -> CheckOutcome:
        try:
            return await self._ask(self.subject.question, self._uri)
        except Exception as error:
            logging.getLogger("lb.control").exception("%s could not be checked", self.subject.title)
            return CheckOutcome(False, f"it could not be checked: {error!r}")

    def judge(self, outcome: CheckOutcome, now: float, date: float) -> None:
        """Takes an outcome in; `now` is monotonic, `date` since the epoch."""
        verdict = self._verdict
        before = verdict.state
        if outcome.passed:
            self._uri = outcome.uri
            verdict.passed()
        else:
            verdict.failed(now)
        changed = verdict.state != before
        known = self._condition()
        self._table.write(
            self.subject.row,
            Condition(
                verdict.state,
                self.subject.host,
                date if changed else known.since,
                date,
                outcome.words,
                known.failed_at if outcome.passed else date,
                known.error if outcome.passed else outcome.words,
                answers=outcome.status > 0,
            ),
        )
        if changed:
            self._tell(before, f"{outcome.words}; {outcome.remedy}" if outcome.remedy else outcome.words)
        if changed or known.answers != (outcome.status > 0):
            self._judged(self.subject)

    def _condition(self) -> Condition:
        return self._table.read(self.subject.row) or Condition(EXPECTED, self.subject.host)

    def _tell(self, before: int, words: str) -> None:
        state, title = self._verdict.state, self.subject.title
        if state == HEALTHY:
            if self._reported or before == UNHEALTHY:
                self._lines.write(logging.INFO, f"{title} is healthy: {words}")
            self._reported = False
        elif state == UNHEALTHY:
            self._lines.write(logging.WARNING, f"{title} is unhealthy: {words}")
        elif before in SERVES:
            self._lines.write(logging.WARNING, f"{title} is not healthy yet, and is checked every second: {words}")
            self._reported = True
