"""What is said when no instance passes its checks, but some answer them (A1)."""

from __future__ import annotations

import logging

import pytest

from lb.health.last_resort import LastResort
from lb.routing.health_table import HEALTHY, UNHEALTHY, Condition
from lb.telemetry.paced_lines import PacedLines

GROUP = ("shop", "production")
PASSES, ANSWERS, SILENT = Condition(HEALTHY), Condition(UNHEALTHY, answers=True), Condition(UNHEALTHY)


def test_it_is_said_once_until_one_has_passed(caplog: pytest.LogCaptureFixture) -> None:
    # spec: A1
    caplog.set_level(logging.WARNING)
    resort = LastResort(PacedLines(logging.getLogger("test")))
    for conditions in ([PASSES, ANSWERS], [SILENT, SILENT]):
        resort.look(GROUP, conditions)
    assert caplog.messages == []
    for conditions in ([SILENT, ANSWERS], [ANSWERS, ANSWERS], [SILENT, ANSWERS]):
        resort.look(GROUP, conditions)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("app shop production: no instance passes its checks")
    resort.look(GROUP, [PASSES])
    resort.look(GROUP, [ANSWERS])
    assert len(caplog.messages) == 2


def test_each_environment_is_told_of_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    # spec: A1
    resort = LastResort(PacedLines(logging.getLogger("test")))
    resort.look(GROUP, [ANSWERS])
    resort.look(("shop", "staging"), [ANSWERS])
    assert len(caplog.messages) == 2
