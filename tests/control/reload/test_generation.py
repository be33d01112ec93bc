"""What is tried before a configuration is served, and the words in which it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.config.model import AccessLogSettings
from lb.control.reload import generation
from lb.control.reload.generation import try_access_log
from lb.process.start_error import StartError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), r"a\.log: Permission denied \(user \d+\)$"),
        (IsADirectoryError(21, "Is a directory"), r"a\.log: Is a directory$"),
    ],
)
def test_a_log_that_is_not_for_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(generation, "AccessLog", refuse)
    with pytest.raises(StartError, match=words):
        try_access_log(AccessLogSettings(path=str(tmp_path / "a.log")))
