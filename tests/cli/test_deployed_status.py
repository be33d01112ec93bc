"""What `lb status` says of deployed environments."""

from __future__ import annotations

from typing import Any

import click
import pytest

from lb.cli.deployed_status import deployed_lines


def deployed(state: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "release": "r1", "cause": None, "waiting": 0, "idle": 0, "instances": [], **more}


def instance(name: str, state: str = "healthy", **more: Any) -> dict[str, Any]:
    figures = {"in_flight": 0, "tunnels": 0, "requests": 0, "seconds": 0.0, "failures": 0}
    return {"name": name, "release": "r1", "state": state, "since": 940, "error": None, **figures, **more}


def lines_of(app: str, kind: str, of: dict[str, Any], now: float) -> list[str]:
    """Without colours."""
    return [click.unstyle(line) for line in deployed_lines(app, kind, of, now)]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("never", "nothing is deployed; lb deploy shop --prod does that"),
        ("stopped", "stopped; lb start shop starts it"),
        ("asleep", "asleep; the next request wakes it (release r1)"),
        ("running", "release r1 has no instance that runs"),
    ],
)
def test_each_state_says_what_to_do(state: str, words: str) -> None:
    assert (lines_of("shop", "production", deployed(state), 1000.0)) == [f"  production  {words}"]


def test_instances_with_their_figures() -> None:
    of = deployed(
        "running",
        waiting=2,
        instances=[
            instance("web1", requests=200, seconds=1.0, in_flight=3, tunnels=1),
            instance("web2", "unhealthy", error="GET / answered 500", release="r0"),
        ],
    )
    assert (lines_of("shop", "production", of, 1000.0)) == [
        "  production  release r1, 2 requests wait",
        "    web1  healthy, 1 min: 200 requests, 5 ms each, 3 in flight, 1 tunnels",
        "    web2  unhealthy: GET / answered 500, 1 min, release r0: 0 requests, 0 in flight",
    ]


def test_what_an_instance_uses_and_why_it_was_restarted() -> None:
    usage = {"memory": 50 << 20, "cpu": 1.0, "files": 0, "processes": 1, "restarts": 0, "last_cause": ""}
    of = deployed("running", instances=[instance("web1", usage=usage)])
    assert lines_of("shop", "production", of, 1000.0)[1].endswith("0 in flight, 50M")
    usage.update(restarts=2, last_cause="web1 exited with status 3")
    assert lines_of("shop", "production", of, 1000.0)[1].endswith(", restarted 2 times (web1 exited with status 3)")


def test_staging_is_named_and_a_cause_is_shown() -> None:
    lines = lines_of("shop", "staging", deployed("failed", cause="exit status 3"), 1000.0)
    assert lines == ["  staging     did not wake up (release r1)", "    exit status 3"]
    (line,) = lines_of("shop", "staging", deployed("never"), 1000.0)
    assert line.endswith("lb deploy shop --staging does that")
