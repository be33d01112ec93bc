"""The state machine of one instance, as dialogues: outcomes with their times → states and the pause that follows."""

from __future__ import annotations

import pytest

from lb.health.state import Rules, Verdict
from lb.routing.health_table import EXPECTED, HEALTHY, STARTING, UNHEALTHY

RULES = Rules(interval=10.0, passes=1, fails=2, start_period=30.0)
STRICT = Rules(interval=10.0, passes=3, fails=3, start_period=15.0)
OFTEN = Rules(interval=0.2, passes=1, fails=1, start_period=30.0)
NAMES = {EXPECTED: "expected", STARTING: "starting", HEALTHY: "healthy", UNHEALTHY: "unhealthy"}

# Rules, first state, then (seconds since the beginning, + or -, state after it, seconds until the next check).
DIALOGUES = {
    "works at once": (RULES, EXPECTED, [(0, "+", "healthy", 10), (10, "+", "healthy", 10)]),
    "a slow start": (
        RULES,
        EXPECTED,
        [(0, "-", "starting", 1), (1, "-", "starting", 1), (29, "-", "starting", 1), (29.5, "+", "healthy", 10)],
    ),
    "a start that fails": (
        RULES,
        EXPECTED,
        [(0, "-", "starting", 1), (30, "-", "unhealthy", 10), (40, "-", "unhealthy", 10), (50, "+", "healthy", 10)],
    ),
    "joins others": (RULES, STARTING, [(0, "-", "starting", 1), (1, "+", "healthy", 10)]),
    "one failure is a doubt": (RULES, HEALTHY, [(10, "-", "healthy", 1), (11, "+", "healthy", 10)]),
    "two are a failure, then it is asked every second as if it started": (
        RULES,
        HEALTHY,
        [
            (10, "-", "healthy", 1),
            (11, "-", "unhealthy", 1),
            (40, "-", "unhealthy", 1),
            (41, "-", "unhealthy", 10),
            (51, "+", "healthy", 10),
        ],
    ),
    "failures have to be in a row": (
        RULES,
        HEALTHY,
        [(1, "-", "healthy", 1), (2, "+", "healthy", 10), (12, "-", "healthy", 1), (13, "-", "unhealthy", 1)],
    ),
    "three passes in a row": (
        STRICT,
        UNHEALTHY,
        [
            (20, "+", "unhealthy", 1),
            (21, "-", "unhealthy", 10),
            (31, "+", "unhealthy", 1),
            (32, "+", "unhealthy", 1),
            (33, "+", "healthy", 10),
        ],
    ),
    "trusted until it has passed often enough": (
        STRICT,
        EXPECTED,
        [(0, "+", "expected", 1), (1, "+", "expected", 1), (2, "+", "healthy", 10)],
    ),
    "a short interval is never made longer": (
        OFTEN,
        EXPECTED,
        [(0, "-", "starting", 0.2), (1, "+", "healthy", 0.2), (2, "-", "unhealthy", 0.2)],
    ),
}


@pytest.mark.parametrize(("rules", "first", "dialogue"), DIALOGUES.values(), ids=DIALOGUES)
def test_dialogues(rules: Rules, first: int, dialogue: list[tuple[float, str, str, float]]) -> None:  # spec: A1
    began = 1000.0
    verdict = Verdict(rules, first, began)
    for at, outcome, state, pause in dialogue:
        if outcome == "+":
            verdict.passed()
        else:
            verdict.failed(began + at)
        assert (at, NAMES[verdict.state], verdict.next_in(began + at)) == (at, state, pause)
