"""What is said of a log that cannot be written."""

from __future__ import annotations

import logging

import pytest

from lb.telemetry.sink_trouble import SinkTrouble


def test_the_first_failure_then_one_a_minute_then_the_end(caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    caplog.set_level(logging.WARNING, "lb.access_log")
    trouble = SinkTrouble("/var/log/lb.log")
    trouble.look("", 7, 0.0)  # lost before
    trouble.look("the disk is full", 10, 100.0)
    trouble.look("the disk is full", 50, 159.0)
    trouble.look("the disk is full", 107, 160.0)
    trouble.look("", 117, 161.0)
    trouble.look("", 117, 162.0)
    first, again, end = caplog.messages
    assert first.startswith("the access log /var/log/lb.log cannot be written: the disk is full. Lines that do not fit")
    assert "; 100 lines were lost so far" in again
    assert end == "the access log /var/log/lb.log is written again; 110 lines were lost"


def test_the_next_trouble_counts_from_there(caplog: pytest.LogCaptureFixture) -> None:
    trouble = SinkTrouble("-")
    trouble.look("full", 10, 100.0)
    trouble.look("", 10, 101.0)
    trouble.look("full", 12, 200.0)
    trouble.look("", 15, 201.0)
    assert "on stdout" in caplog.messages[0]
    assert caplog.messages[-1].endswith("5 lines were lost")
