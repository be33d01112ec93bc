"""TLS connections that were closed for a flood of records: each is counted, and the log names one client a minute."""

from __future__ import annotations

import pytest

from lb.proxy.record_floods import RecordFloods


def test_each_connection_is_counted_and_the_log_has_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    floods = RecordFloods()
    for address, now in ((b"192.0.2.1", 1000.0), (b"192.0.2.2", 1001.0), (b"192.0.2.3", 1059.9)):
        floods.closed(address, now)
    assert floods.total == 3
    [line] = caplog.messages
    assert "from 192.0.2.1 was closed" in line
    assert "since the last line: 1)" in line


def test_the_next_line_counts_the_connections_that_none_told_of(caplog: pytest.LogCaptureFixture) -> None:
    floods = RecordFloods()
    for now in (1000.0, 1001.0, 1002.0, 1060.0, 1061.0, 1120.0):
        floods.closed(b"2001:db8::1", now)
    assert floods.total == 6
    assert [line.partition("since the last line: ")[2].partition(")")[0] for line in caplog.messages] == ["1", "3", "2"]
    assert all("2001:db8::1" in line for line in caplog.messages)
    assert {record.levelname for record in caplog.records} == {"WARNING"}
