"""How an instance ended, in the words that messages and logs use."""

from __future__ import annotations

import signal

import pytest

from lb.apps.run.exit_words import exit_sentence

KILL, SEGV = int(signal.SIGKILL), int(signal.SIGSEGV)


@pytest.mark.parametrize(
    ("status", "number", "cause", "detail", "sentence"),
    [
        (3, None, "", "", "exited with status 3"),
        (None, SEGV, "", "", "was killed by SIGSEGV"),
        (None, 99, "", "", "was killed by signal 99"),
        (None, None, "start", "no such file", "could not be started: no such file"),
        (None, KILL, "memory", "512 MB", "was killed for memory (512 MB)"),
        (None, KILL, "memory", "", "was killed for memory"),
        (None, KILL, "files", "1 GB", "was ended because its files exceeded the quota (1 GB)"),
        (None, KILL, "processes", "100", "was ended because it had more than 100 processes"),
    ],
)
def test_how_it_ended(status: int | None, number: int | None, cause: str, detail: str, sentence: str) -> None:
    assert exit_sentence(status, number, cause, detail, asked=False, left_foreground=False) == sentence


def test_one_that_was_asked_to_stop() -> None:
    ignored = exit_sentence(None, KILL, "", "", asked=True, left_foreground=False)
    assert ignored == "ignored SIGTERM until its time was up, and was killed"
    assert exit_sentence(0, None, "", "", asked=True, left_foreground=False) == "exited with status 0"


def test_one_that_left_the_foreground() -> None:
    said = exit_sentence(0, None, "", "", asked=False, left_foreground=True)
    assert said.startswith("left the foreground")
