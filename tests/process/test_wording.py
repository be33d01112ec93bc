"""How the log puts the ends of processes, and spans of time."""

from __future__ import annotations

import signal

import pytest

from lb.process.wording import death_in_words, duration, lifetime


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended unexpectedly (status 0)"),
        (1, "exited with status 1"),
        (-signal.SIGKILL, "was killed by SIGKILL (by a user, or by the kernel when memory ran out)"),
        (-signal.SIGTERM, "was killed by SIGTERM"),
        (-signal.SIGSEGV, "was killed by SIGSEGV: it crashed (Segmentation fault)"),
        (-signal.SIGABRT, "was killed by SIGABRT: it crashed (Aborted), or it hung"),
        (-63, "was killed by signal 63"),
    ],
)
def test_deaths(status: int, words: str) -> None:
    assert death_in_words(status) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (90061, "1 d 1 h"), (86400 * 3 + 120, "3 d 2 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (12.34, "12.3 s"), (59.99, "60.0 s"), (3725, "1 h 2 min")]
)
def test_lifetimes_are_exact_where_they_are_short(seconds: float, text: str) -> None:
    assert lifetime(seconds) == text
