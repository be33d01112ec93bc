"""How long something ran within the last 24 hours."""

from __future__ import annotations

from pathlib import Path

from lb.apps.service.running_time import DAY, RunningTime

HOUR = 3600.0


def run(time: RunningTime, begin: float, end: float) -> None:
    for now in (begin, (begin + end) / 2, end):
        time.look(now, runs=True)
    time.look(end, runs=False)


def test_spans_add_up_and_leave_the_day(tmp_path: Path) -> None:
    time = RunningTime(tmp_path / "time.json")
    run(time, 0.0, 2 * HOUR)
    run(time, 4 * HOUR, 5 * HOUR)
    assert time.within_day(6 * HOUR) == 3 * HOUR
    assert time.within_day(DAY + HOUR) == 2 * HOUR
    assert time.within_day(DAY + 5 * HOUR) == 0.0


def test_it_may_run_again_when_enough_has_left_the_day(tmp_path: Path) -> None:
    time = RunningTime(tmp_path / "time.json")
    run(time, 0.0, 2 * HOUR)
    run(time, 4 * HOUR, 5 * HOUR)
    now = 6 * HOUR
    assert time.allowed_at(now, 4 * HOUR) == now
    assert time.allowed_at(now, 3 * HOUR) == DAY + 60.0, "a minute must be free"
    assert (
        time.allowed_at(now, HOUR) == DAY + 4 * HOUR + 60.0 - 2 * HOUR + 0.0
        or time.within_day(DAY + 4 * HOUR + 60.0) <= HOUR
    )
    for limit in (HOUR, 2 * HOUR, 2.5 * HOUR):
        at = time.allowed_at(now, limit)
        assert time.within_day(at) <= limit - 60.0 + 1e-6
        assert time.within_day(at - 1.0) > limit - 60.0


def test_the_next_engine_goes_on_with_what_runs(tmp_path: Path) -> None:
    first = RunningTime(tmp_path / "time.json")
    first.look(0.0, runs=True)
    first.look(100.0, runs=True)
    second = RunningTime(tmp_path / "time.json")
    second.look(300.0, runs=True)
    assert second.within_day(300.0) == 300.0
    third = RunningTime(tmp_path / "time.json")
    third.look(400.0, runs=False)
    assert third.within_day(400.0) == 300.0, "nobody knows when it ended; the engine saw it last at 300"


def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "time.json"
    path.write_text('{"spans": [1]}', encoding="utf-8")
    time = RunningTime(path)
    time.look(10.0, runs=True)
    assert time.within_day(10.0) == 0.0
    path.write_text('{"spans": [], "open": true}', encoding="utf-8")
    RunningTime(path).look(10.0, runs=True)
