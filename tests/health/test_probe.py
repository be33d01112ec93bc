"""A probe's outcomes in the table and in the log, and the log's bounds."""

from __future__ import annotations

import logging
import socket

import pytest

from lb.config.plan import row_key
from lb.health.check import CheckOutcome, CheckRequest
from lb.health.probe import Probe, ProbeTarget
from lb.health.state import Rules
from lb.routing.health_table import EXPECTED, HEALTHY, UNCHECKED, UNHEALTHY, Condition, HealthTable
from lb.telemetry.paced_lines import PacedLines

QUESTION = CheckRequest(socket.AF_INET, ("127.0.0.1", 3001), ("/",), b"", ("2xx",), 5.0)
RULES = Rules(interval=10.0, passes=1, fails=2, start_period=30.0)
KEY = row_key("shop", "production", "127.0.0.1:3001")
GOOD, BAD = CheckOutcome(True, "GET / answered 200", "/"), CheckOutcome(False, "GET / answered 500")


LOG = logging.getLogger("lb.control")


class Asked:
    """Outcomes in order."""

    def __init__(self, *outcomes: CheckOutcome | Exception) -> None:
        self.outcomes = list(outcomes)
        self.first: list[str] = []

    async def __call__(self, _: CheckRequest, first: str) -> CheckOutcome:
        self.first.append(first)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def table_with(state: int) -> HealthTable:
    table = HealthTable(16)
    table.claim({KEY: Condition(state, since=1.0)})
    return table


def probe(table: HealthTable, asked: Asked, rules: Rules = RULES) -> Probe:
    subject = ProbeTarget(table.find(KEY), "app shop production 127.0.0.1:3001", "", QUESTION, rules)
    return Probe(subject, table, PacedLines(LOG), asked)


def condition(table: HealthTable) -> Condition:
    found = table.read(table.find(KEY))
    assert found is not None
    return found


def test_the_table_has_the_last_outcome_the_last_error_and_since_when() -> None:
    table = table_with(HEALTHY)
    one = probe(table, Asked())
    one.judge(BAD, 10.0, 1010.0)
    assert condition(table) == Condition(HEALTHY, "", 1.0, 1010.0, BAD.words, 1010.0, BAD.words)
    one.judge(BAD, 11.0, 1011.0)
    assert condition(table) == Condition(UNHEALTHY, "", 1011.0, 1011.0, BAD.words, 1011.0, BAD.words)
    one.judge(GOOD, 12.0, 1012.0)
    assert condition(table) == Condition(HEALTHY, "", 1012.0, 1012.0, GOOD.words, 1011.0, BAD.words)
    assert table.generation == 2


NOT_YET = "is not healthy yet, and is checked every second: GET / answered 500"
IS_HEALTHY, IS_UNHEALTHY = "is healthy: GET / answered 200", "is unhealthy: GET / answered 500"


@pytest.mark.parametrize(
    ("first", "outcomes", "lines"),
    [
        (EXPECTED, [GOOD, GOOD], []),
        (EXPECTED, [BAD, BAD, GOOD], [NOT_YET, IS_HEALTHY]),
        (HEALTHY, [BAD, GOOD, BAD], []),
        (HEALTHY, [BAD, BAD, BAD, BAD, GOOD, GOOD], [IS_UNHEALTHY, IS_HEALTHY]),
    ],
)
def test_the_log_has_a_line_a_change(
    caplog: pytest.LogCaptureFixture, first: int, outcomes: list[CheckOutcome], lines: list[str]
) -> None:
    one = probe(table_with(first), Asked())
    with caplog.at_level(logging.INFO, "lb.control"):
        for second, outcome in enumerate(outcomes):
            one.judge(outcome, float(second), 1000.0 + second)
    assert caplog.messages == [f"app shop production 127.0.0.1:3001 {line}" for line in lines]


def test_a_process_that_is_started_again_goes_on_from_the_table() -> None:
    for state in (HEALTHY, UNHEALTHY):
        table = table_with(state)
        probe(table, Asked())
        assert (condition(table).state, table.generation) == (state, 0)
    table = table_with(UNCHECKED)
    probe(table, Asked())
    assert condition(table).state == EXPECTED


async def test_each_check_says_when_the_next_is_due() -> None:
    table = table_with(EXPECTED)
    asked = Asked(GOOD, ValueError("a mistake of ours"), BAD)
    one = probe(table, asked)
    assert [await one.run() for _ in range(3)] == [10.0, 1.0, 1.0]
    assert asked.first == ["", "/", "/"]  # what was answered well is remembered
    assert condition(table).state == UNHEALTHY


def test_many_changes_are_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    lines = PacedLines(LOG, lambda: now)
    with caplog.at_level(logging.INFO, "lb.control"):
        for number in range(500):
            lines.write(logging.WARNING, f"{number} is unhealthy")
        now = 1.5
        lines.end_second()
        lines.end_second()
        lines.write(logging.INFO, "0 is healthy")
    assert caplog.messages == [
        *(f"{number} is unhealthy" for number in range(20)),
        "480 more instances changed; /status of the admin server has them all",
        "0 is healthy",
    ]
