"""When the front door starts another engine, and when it leaves that to others."""

from __future__ import annotations

import logging
from pathlib import Path

from lb.health.engine_restart import EngineRestart
from lb.telemetry.paced_lines import PacedLines

FILE = Path("/etc/lb/lb.yaml")


class Restarting:
    """A restart policy and what it has started, at which times."""

    def __init__(self, **environ: str) -> None:
        self.started: list[float] = []
        self.now = 0.0
        self.policy = EngineRestart(FILE, PacedLines(logging.getLogger("lb.test")), self._start, environ)

    def _start(self, file: Path) -> None:
        assert file == FILE
        self.started.append(self.now)

    def lost_for(self, begin: float, end: float) -> None:
        """No engine is found, four times a second."""
        for step in range(round((end - begin) * 4) + 1):
            self.now = begin + step / 4
            self.policy.lost(self.now)


def test_an_engine_that_died_is_started_again_with_growing_pauses() -> None:
    # spec: A5
    one = Restarting()
    one.policy.connected(0.0)
    one.lost_for(10.0, 30.0)
    assert one.started == [11.0, 13.0, 17.0, 25.0]
    one.policy.connected(30.0)
    one.lost_for(100.0, 101.0)
    assert one.started[-1] == 101.0, "it had been steady"


def test_an_engine_that_was_stopped_on_purpose_stays_so() -> None:
    one = Restarting()
    one.policy.connected(0.0)
    one.policy.leaves()
    one.lost_for(10.0, 200.0)
    assert one.started == []


def test_an_engine_that_never_was_is_not_the_front_door_s_to_start_here() -> None:
    one = Restarting()
    one.lost_for(0.0, 100.0)
    assert one.started == []


def test_under_a_service_manager_and_where_it_is_not_wanted_nothing_is_started() -> None:
    managed, unwanted = Restarting(NOTIFY_SOCKET="/run/notify"), Restarting()
    unwanted.policy.is_wanted = False
    for one in (managed, unwanted):
        one.policy.connected(0.0)
        one.lost_for(1.0, 60.0)
        assert one.started == []
