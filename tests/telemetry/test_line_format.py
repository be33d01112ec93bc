"""The formats of an access log by their names in the configuration: a writer and the time that fits it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import get_args

from lb.config.fields import LogFormat
from lb.telemetry.line_format import LINE_FORMATS, LineFormat
from tests.telemetry.test_lines import record

AT = datetime(2026, 11, 20, 23, 11, 5, tzinfo=UTC)


def written(name: LogFormat) -> bytes:
    """The line of a request at that time."""
    chosen = LINE_FORMATS[name]
    assert isinstance(chosen, LineFormat)
    return chosen.write(record(), time.strftime(chosen.time, time.gmtime(AT.timestamp())).encode())


def test_each_format_of_the_configuration_is_here() -> None:
    assert set(LINE_FORMATS) == set(get_args(get_args(LogFormat)[0]))


# spec: E3
def test_json_has_its_time_in_rfc_3339() -> None:
    line = written("json")
    assert line.endswith(b"\n")
    assert datetime.fromisoformat(json.loads(line)["time"]) == AT


# spec: E3
def test_combined_has_its_time_as_web_servers_write_it() -> None:
    line = written("combined")
    assert line.endswith(b"\n")
    assert b"[20/Nov/2026:23:11:05 +0000]" in line


def test_off_writes_nothing() -> None:
    assert LINE_FORMATS["off"] is None
