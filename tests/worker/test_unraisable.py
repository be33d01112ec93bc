"""Exceptions that have nobody to go to: names that are none are counted, all others are bounded."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from lb.worker.unraisable import Unraisable


def _args(error: BaseException, thing: object) -> sys.UnraisableHookArgs:
    made: object = SimpleNamespace(
        exc_type=type(error), exc_value=error, exc_traceback=None, err_msg=None, object=thing
    )
    return made  # type: ignore[return-value]


@pytest.mark.parametrize("thing", [b"\xff.example", None])
def test_a_name_that_cannot_be_decoded_is_counted_and_not_written(
    capsys: pytest.CaptureFixture[str], thing: bytes | None
) -> None:
    names: list[None] = []
    hook = Unraisable(lambda: names.append(None))
    for _ in range(3):
        hook(_args(UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal not in range"), thing))
    assert len(names) == 3
    assert capsys.readouterr().err == ""


def test_others_are_written_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    monkeypatch.setattr(sys, "__unraisablehook__", written.append)
    now = 5.0
    hook = Unraisable(lambda: pytest.fail("no name"), lambda: now)
    for _ in range(100):
        hook(_args(ValueError("a bug"), object()))
    assert len(written) == 1
    now = 6.0
    hook(_args(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "of something else"), object()))
    assert len(written) == 2
