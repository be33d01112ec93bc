"""Read the logs of an environment's instances: the last lines, a span of time, or what comes (G2).

Knows the segments of `log_writer`; nothing of processes, of commands or of how lines are shown.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from operator import attrgetter
from pathlib import Path

from lb.apps.run.log_writer import SUFFIX

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"  # as the records have it
_DAY = len("2026-11-30")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record. `time` is RFC 3339 in UTC; `stream` is `out`, `err`, or `lb` for what lb itself says."""

    time: str
    stream: str
    instance: str
    tag: str
    text: str

    def to_json(self) -> dict[str, str]:
        return {"time": self.time, "stream": self.stream, "instance": self.instance, "tag": self.tag, "text": self.text}


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines are wanted; an empty field wants all. Times are RFC 3339 in UTC, as `parse_time` makes them."""

    streams: frozenset[str] = frozenset()
    instance: str = ""
    tag: str = ""
    since: str = ""
    until: str = ""

    def wants(self, line: LogLine) -> bool:
        return (
            (not self.streams or line.stream in self.streams)
            and (not self.instance or line.instance == self.instance)
            and (not self.tag or line.tag == self.tag)
            and (not self.since or line.time >= self.since)
            and (not self.until or line.time < self.until)
        )


def parse_time(text: str, zone: tzinfo | None = None, *, end: bool = False) -> str:
    """`2026-11-30` (a whole day in `zone`, by default the machine's) or RFC 3339, as a time that sorts with records.

    `end`: of a day its end is meant, as in `--to`. Raises ValueError with a sentence.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time: write 2026-11-30, or 2026-11-30T09:17:00+08:00") from None
    if when.tzinfo is None:
        if end and len(text) == _DAY:
            when += timedelta(days=1)  # before the zone, so that a day of 23 or 25 hours is whole too
        when = when.replace(tzinfo=zone) if zone is not None else when.astimezone()
    elif end and len(text) == _DAY:
        when += timedelta(days=1)
    when = when.astimezone(UTC)
    return when.strftime(_FORMAT)


def read_last(directory: Path, count: int, query: LogQuery | None = None) -> list[LogLine]:
    """The last `count` lines that `query` wants, oldest first."""
    query = query or LogQuery()
    lines: list[LogLine] = []
    for segments in _by_writer(directory):
        found: list[LogLine] = []
        for segment in reversed(segments):
            if len(found) >= count:
                break
            if query.until and _first_time(segment) >= query.until:
                continue
            wanted = [line for line in _lines(_read(segment, 0)[0]) if query.wants(line)]
            found = wanted[-count:] + found if count else []
            if query.since and _first_time(segment) < query.since:
                break
        lines += found
    return sorted(lines, key=attrgetter("time"))[-count:] if count else []


def read_all(directory: Path, query: LogQuery | None = None) -> Iterator[LogLine]:
    """Every line that `query` wants, oldest first, without holding more than one segment a writer."""
    query = query or LogQuery()
    streams = [_wanted(segments, query) for segments in _by_writer(directory)]
    return iter(heapq.merge(*streams, key=attrgetter("time")))


class LogFollower:
    """What comes after the moment at which it was made: `poll` it a few times a second."""

    def __init__(self, directory: Path, query: LogQuery | None = None) -> None:
        self._directory = directory
        self._query = query or LogQuery()
        self._offsets: dict[str, int] = {}
        for segment in _segments(directory):
            data, _ = _read(segment, 0)
            self._offsets[segment.name] = data.rfind(b"\n") + 1

    def poll(self) -> list[LogLine]:
        """The new lines, in the order of their times."""
        lines: list[LogLine] = []
        there = _segments(self._directory)
        for segment in there:
            offset = self._offsets.get(segment.name, 0)
            data, size = _read(segment, offset)
            if size == offset:
                continue
            whole = data.rfind(b"\n") + 1
            self._offsets[segment.name] = offset + whole
            lines += [line for line in _lines(data[:whole]) if self._query.wants(line)]
        names = {segment.name for segment in there}
        self._offsets = {name: offset for name, offset in self._offsets.items() if name in names}
        return sorted(lines, key=attrgetter("time"))


def _by_writer(directory: Path) -> list[list[Path]]:
    """The segments of each instance, oldest first."""
    writers: dict[str, list[Path]] = {}
    for segment in _segments(directory):
        writers.setdefault(_writer(segment), []).append(segment)
    return list(writers.values())


def _wanted(segments: list[Path], query: LogQuery) -> Iterator[LogLine]:
    for segment in segments:
        yield from (line for line in _lines(_read(segment, 0)[0]) if query.wants(line))


def _segments(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.name.endswith(SUFFIX))
    except OSError:
        return []


def _writer(segment: Path) -> str:
    """`web1-1a2b3c4d`: what the names of one instance's segments have in common."""
    return segment.name.split("-", 1)[-1].rpartition("-")[0]


def _first_time(segment: Path) -> str:
    """The time in a segment's name, as in its records."""
    try:
        when = datetime.strptime(segment.name.split("-", 1)[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return ""
    return when.strftime(_FORMAT)


def _read(segment: Path, offset: int) -> tuple[bytes, int]:
    """What stands in it from `offset` on, and where it ends; nothing if it was removed meanwhile."""
    try:
        with segment.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except OSError:
        return b"", offset
    return data, offset + len(data)


def _lines(data: bytes) -> Iterator[LogLine]:
    for record in data.split(b"\n"):
        parts = record.decode("utf-8", "replace").split(" ", 4)
        if len(parts) == 5:  # else a record that a full disk cut off
            time, stream, instance, tag, text = parts
            yield LogLine(time, stream, instance, "" if tag == "-" else tag, text)
