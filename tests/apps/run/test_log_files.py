"""Segments that a writer leaves, and what a reader finds in them."""

from __future__ import annotations

import os
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from lb.apps.run.log_files import LogFollower, LogQuery, parse_time, read_all, read_last
from lb.apps.run.log_writer import LogWriter, timestamp

NOON = 1_790_000_000.0
DAY = 86400.0


def writer(directory: Path, name: str = "web1", ident: str = "aa", size: int = 100_000_000) -> LogWriter:
    return LogWriter(str(directory), name, ident, "20261130-091655", (7 * DAY, size))


def texts(directory: Path, query: LogQuery | None = None, count: int = 30) -> list[str]:
    return [line.text for line in read_last(directory, count, query)]


def test_a_record_says_when_where_and_what(tmp_path: Path) -> None:
    writer(tmp_path).write("err", ["it  has two spaces"], NOON + 0.25)
    [line] = read_last(tmp_path, 30)
    assert (line.time, line.stream, line.instance, line.tag) == (
        timestamp(NOON + 0.25),
        "err",
        "web1",
        "20261130-091655",
    )
    assert line.text == "it  has two spaces"
    assert line.to_json()["stream"] == "err"


# spec: G2
def test_the_last_lines_of_several_instances_are_merged_by_time(tmp_path: Path) -> None:
    one, two = writer(tmp_path), writer(tmp_path, "web2", "bb")
    for number in range(20):
        (one if number % 2 else two).write("out", [f"line {number}"], NOON + number)
    assert texts(tmp_path, count=5) == [f"line {number}" for number in range(15, 20)]
    assert texts(tmp_path, LogQuery(instance="web2"), 2) == ["line 16", "line 18"]
    assert [line.text for line in read_all(tmp_path)] == [f"line {number}" for number in range(20)]
    assert texts(tmp_path, count=0) == []


def test_streams_tags_and_times_choose(tmp_path: Path) -> None:
    one = writer(tmp_path)
    one.write("out", ["a"], NOON)
    one.write("err", ["b"], NOON + 1)
    one.write("lb", ["c"], NOON + 2)
    assert texts(tmp_path, LogQuery(streams=frozenset({"err", "lb"}))) == ["b", "c"]
    assert texts(tmp_path, LogQuery(tag="other")) == []
    assert texts(tmp_path, LogQuery(since=timestamp(NOON + 1))) == ["b", "c"]
    assert texts(tmp_path, LogQuery(until=timestamp(NOON + 1))) == ["a"]


def test_what_is_too_large_loses_its_oldest_segments(tmp_path: Path) -> None:
    one = writer(tmp_path, size=1_000_000)
    for number in range(3000):
        one.write("out", [f"{number} " + "x" * 1000], NOON + number)
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 700_000 < total <= 1_000_000
    assert texts(tmp_path, count=1)[0].startswith("2999 ")


def test_what_is_too_old_goes_even_if_the_app_is_quiet(tmp_path: Path) -> None:
    one = writer(tmp_path)
    one.write("out", ["old"], NOON)
    [segment] = tmp_path.iterdir()
    os.utime(segment, (NOON, NOON))
    one.tick(NOON + 6 * DAY)
    assert texts(tmp_path) == ["old"]
    one.tick(NOON + 8 * DAY)
    assert list(tmp_path.iterdir()) == []
    one.write("out", ["new"], NOON + 8 * DAY)
    assert texts(tmp_path) == ["new"]


def test_another_instance_s_open_segment_may_be_removed_without_harm(tmp_path: Path) -> None:
    one = writer(tmp_path)
    one.write("out", ["a"], NOON)
    for path in tmp_path.iterdir():
        path.unlink()
    one.write("out", ["b"], NOON + 1)
    one.write("out", ["c"], NOON + 2 * DAY)
    assert texts(tmp_path) == ["c"]


def test_lines_that_the_disk_refused_are_counted(tmp_path: Path) -> None:
    directory = tmp_path / "logs"
    one = writer(directory)
    one.write("out", ["a", "b"], NOON)  # there is no such directory
    one.write("out", ["c"], NOON)
    directory.mkdir()
    one.write("out", ["d"], NOON)
    one.write("out", ["e"], NOON)
    assert texts(directory) == ["d", "3 lines were lost, because the log could not be written", "e"]


# spec: G2
def test_a_follower_sees_what_comes_also_in_new_segments(tmp_path: Path) -> None:
    one = writer(tmp_path)
    one.write("out", ["before"], NOON)
    follower = LogFollower(tmp_path, LogQuery(streams=frozenset({"out"})))
    assert follower.poll() == []
    one.write("out", ["after"], NOON + 1)
    one.write("err", ["not wanted"], NOON + 1)
    writer(tmp_path, "web2", "bb").write("out", ["another"], NOON + 2)
    assert [line.text for line in follower.poll()] == ["after", "another"]
    assert follower.poll() == []


def test_a_follower_waits_for_the_end_of_a_record(tmp_path: Path) -> None:
    follower = LogFollower(tmp_path)
    segment = tmp_path / "20261130T091700000000-web1-aa-1.log"
    segment.write_bytes(b"2026-11-30T09:17:00.000000Z out web1 - hel")
    assert follower.poll() == []
    with segment.open("ab") as file:
        file.write(b"lo\n")
    [line] = follower.poll()
    assert (line.text, line.tag) == ("hello", "")
    segment.unlink()
    assert follower.poll() == []


def test_no_logs_are_no_lines(tmp_path: Path) -> None:
    assert read_last(tmp_path / "none", 30) == []
    assert list(read_all(tmp_path / "none")) == []
    assert LogFollower(tmp_path / "none").poll() == []


# spec: G2
@pytest.mark.parametrize(
    ("text", "end", "time"),
    [
        ("2026-11-30", False, "2026-11-29T16:00:00.000000Z"),
        ("2026-11-30", True, "2026-11-30T16:00:00.000000Z"),
        ("2026-11-30T09:17:00", True, "2026-11-30T01:17:00.000000Z"),
        ("2026-11-30T09:17:00Z", False, "2026-11-30T09:17:00.000000Z"),
        ("2026-11-30T09:17:00.5+01:00", False, "2026-11-30T08:17:00.500000Z"),
    ],
)
def test_times_of_from_and_to(text: str, end: bool, time: str) -> None:
    assert parse_time(text, timezone(timedelta(hours=8)), end=end) == time


def test_a_day_is_the_machine_s_day_by_default() -> None:
    assert parse_time("2026-11-30") < parse_time("2026-11-30", end=True)


def test_a_time_that_is_none_is_said() -> None:
    with pytest.raises(ValueError, match="'yesterday' is not a time: write 2026-11-30"):
        parse_time("yesterday")
