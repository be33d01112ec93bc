"""How an end is judged and said."""

from __future__ import annotations

import pytest

from lb.apps.run.exit import Exit


@pytest.mark.parametrize(
    ("ended", "clean"),
    [
        (Exit(status=0, asked=True), True),
        (Exit(status=143, asked=True), True),
        (Exit(signal=15, asked=True), True),
        (Exit(signal=9, asked=True), False),
        (Exit(status=1, asked=True), False),
        (Exit(status=0), False),
        (Exit(signal=15), False),
        (Exit(signal=9, asked=True, cause="memory"), False),
    ],
)
def test_what_is_clean(ended: Exit, clean: bool) -> None:
    assert ended.clean is clean


@pytest.mark.parametrize(
    ("ended", "sentence"),
    [
        (Exit(status=3), "exited with status 3"),
        (Exit(signal=9), "was killed by SIGKILL"),
        (Exit(signal=99), "was killed by signal 99"),
        (Exit(signal=9, asked=True), "ignored SIGTERM until its time was up, and was killed"),
        (Exit(cause="memory", detail="512 MB", signal=9), "was killed for memory (512 MB)"),
        (Exit(cause="memory", signal=9), "was killed for memory"),
        (Exit(cause="lost"), "was lost: its shim was killed, so nobody saw how it ended"),
        (Exit(status=0, left=1), "left the foreground (its main process exited with status 0 and others stayed)"),
    ],
)
def test_what_is_said(ended: Exit, sentence: str) -> None:
    assert ended.sentence() == sentence


def test_a_record_of_another_version_is_read() -> None:
    assert Exit.from_json({"status": 3, "new": 1, "lines": ["a"]}) == Exit(status=3, lines=("a",))
    assert Exit.from_json({}) == Exit()
