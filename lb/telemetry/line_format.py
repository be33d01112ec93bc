"""The formats of an access-log line, by their names in the configuration: the writer, and its time format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lb.config.fields import LogFormat
from lb.telemetry.lines import combined_line, json_line
from lb.telemetry.record import Record


@dataclass(frozen=True, slots=True)
class LineFormat:
    """`write` makes a line of a record and the time; `time` is that time's format, for `strftime` in UTC."""

    write: Callable[[Record, bytes], bytes]
    time: str


LINE_FORMATS: dict[LogFormat, LineFormat | None] = {
    "json": LineFormat(json_line, "%Y-%m-%dT%H:%M:%SZ"),
    "combined": LineFormat(combined_line, "%d/%b/%Y:%H:%M:%S +0000"),
    "off": None,
}
