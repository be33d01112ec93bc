"""What a request may expect of a deployed app that has no instance."""

from __future__ import annotations

import pytest

from lb.routing.deployment import (
    FAILED,
    LIMITED,
    NEVER,
    RUNNING,
    SLEEPING,
    STOPPED,
    UNKNOWN,
    DeployedEnvironment,
    Outlook,
    PlacedRow,
    read_outlook,
    read_placed,
    read_serving,
)
from lb.routing.health_table import ABSENT, ASLEEP, HEALTHY, Condition


def environment(outlook: Outlook, kind: str = "production") -> DeployedEnvironment:
    made = DeployedEnvironment("shop", kind)
    made.follow(outlook.condition(0.0))
    return made


@pytest.mark.parametrize("outlook", [Outlook(), Outlook(RUNNING, 7, "r1"), Outlook(FAILED, 8, "r2", "exit 3", 12.5)])
def test_an_outlook_is_read_as_it_was_written(outlook: Outlook) -> None:
    assert read_outlook(outlook.condition(1.0)) == outlook


def test_nothing_is_known_where_there_is_no_row() -> None:
    assert read_outlook(None) == Outlook(UNKNOWN)
    assert read_placed(None) is None


def test_an_instance_is_read_from_its_row_and_one_about_to_end_does_not_serve() -> None:
    placed = PlacedRow("1a", "web1", "20261130-091655", "unix:/run/a socket")
    assert read_serving(Condition(HEALTHY, placed.text())) == placed
    assert placed.key == "web1 (20261130-091655)"
    assert read_serving(Condition(ASLEEP, placed.text())) is None
    assert read_placed(Condition(ASLEEP, placed.text())) == placed
    assert read_placed(Condition(ABSENT, placed.text())) is None


@pytest.mark.parametrize(
    ("state", "kind", "code", "command"),
    [
        (NEVER, "production", "app_not_deployed", "lb deploy shop --prod"),
        (NEVER, "staging", "app_not_deployed", "lb deploy shop --staging"),
        (STOPPED, "production", "app_stopped", "lb start shop"),
        (STOPPED, "staging", "app_stopped", "lb start shop --staging"),
        (RUNNING, "production", "destination_unavailable", ""),
    ],
)
def test_each_state_has_its_cause_and_the_command_that_helps(state: str, kind: str, code: str, command: str) -> None:
    error = environment(Outlook(state, 1), kind).refusal(b"/", 0.0)
    assert error is not None
    assert (error.cause.code, error.detail) == (code, command)


def test_a_sleeping_app_is_woken_once_and_quiet_paths_do_not_wake_it() -> None:
    one = environment(Outlook(SLEEPING, 1))
    wakes: list[tuple[str, str]] = []
    one.on_wanted = lambda *name: wakes.append(name)
    one.quiet = frozenset({b"/robots.txt"})
    refused = one.refusal(b"/robots.txt?x", 0.0)
    assert refused is not None
    assert refused.cause.code == "app_asleep"
    assert wakes == []
    assert one.refusal(b"/", 0.0) is None
    assert one.refusal(b"/", 0.0) is None
    assert wakes == [("shop", "production")]
    assert one.late().cause.code == "app_start_timeout"


def test_a_wake_that_failed_is_tried_again_when_it_is_time() -> None:
    one = environment(Outlook(FAILED, 1, "r1", "exit status 3", 100.0))
    wakes: list[tuple[str, str]] = []
    one.on_wanted = lambda *name: wakes.append(name)
    error = one.refusal(b"/", 97.5)
    assert error is not None
    assert (error.cause.code, error.retry_after) == ("app_start_failed", 3)
    assert wakes == []
    assert one.refusal(b"/", 100.0) is None
    assert wakes == [("shop", "production")]


def test_requests_wait_for_an_engine_that_has_not_been_heard() -> None:
    one = environment(Outlook())
    assert one.refusal(b"/", 0.0) is None
    assert one.is_held()
    assert one.late().cause.code == "engine_unavailable"


def test_an_app_that_has_run_for_too_long_is_woken_only_after_the_time_that_was_told() -> None:
    # spec: A6
    shop = environment(Outlook(LIMITED, 1, "r1", "it ran for 18 h", 1000.0))
    wanted: list[str] = []
    shop.on_wanted = lambda app, kind: wanted.append(f"{app} {kind}")
    refused = shop.refusal(b"/", 900.0)
    assert refused is not None
    assert (refused.cause.code, refused.retry_after, wanted) == ("app_limit_reached", 100, [])
    assert shop.refusal(b"/", 1000.0) is None
    assert wanted == ["shop production"]
    assert shop.is_held()
