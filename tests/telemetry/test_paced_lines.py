"""A line a change, and one for all the others when very many change at once."""

from __future__ import annotations

import logging

import pytest

from lb.telemetry.paced_lines import PacedLines


class Time:
    """A clock to set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def lines(time: Time, caplog: pytest.LogCaptureFixture) -> PacedLines:
    caplog.set_level(logging.DEBUG)
    return PacedLines(logging.getLogger("test"), time)


def test_a_few_are_all_written_at_their_level(lines: PacedLines, caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    for number in range(3):
        lines.write(logging.ERROR, f"change {number} of 100 %")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, f"change {number} of 100 %") for number in range(3)
    ]


def test_of_very_many_the_rest_is_one_line(lines: PacedLines, time: Time, caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    for number in range(50):
        lines.write(logging.INFO, f"change {number}")
    assert len(caplog.messages) == 20
    time.now += 0.9
    lines.end_second()
    assert len(caplog.messages) == 20
    time.now += 0.1
    lines.end_second()
    assert caplog.messages[20:] == ["30 more instances changed; /status of the admin server has them all"]
    lines.write(logging.INFO, "the next second")
    assert caplog.messages[21:] == ["the next second"]
    time.now += 1
    lines.end_second()
    assert len(caplog.messages) == 22
