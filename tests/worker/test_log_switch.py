"""The access log that a worker writes now, and the change to another one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lb.config.model import AccessLogSettings
from lb.telemetry.lines import combined_line, json_line
from lb.worker.log_switch import LogSwitch, line_of, open_log


def settings(path: Path, form: str = "json") -> AccessLogSettings:
    return AccessLogSettings.model_validate({"path": str(path), "format": form})


@pytest.mark.parametrize(("form", "line"), [("json", json_line), ("combined", combined_line), ("off", None)])
def test_each_format_has_its_line(form: str, line: object, tmp_path: Path) -> None:
    chosen = line_of(settings(tmp_path / "log", form))
    assert (chosen and chosen.write) is line


# spec: R4
async def test_no_line_is_lost_at_a_change(tmp_path: Path) -> None:
    before, after = settings(tmp_path / "before"), settings(tmp_path / "after")
    book = LogSwitch(before)
    book.log.append(b"one\n")
    lost: list[int] = []
    told = asyncio.Event()

    def note(count: int) -> None:
        lost.append(count)
        told.set()

    book.change(after, open_log(after), note)
    assert book.settings is after
    book.log.append(b"two\n")
    await asyncio.wait_for(told.wait(), 10)
    book.log.flush()
    book.close()
    assert lost == [0]
    assert [path.read_bytes() for path in (tmp_path / "before", tmp_path / "after")] == [b"one\n", b"two\n"]


async def test_a_log_is_reopened_under_its_name(tmp_path: Path) -> None:
    book = LogSwitch(settings(tmp_path / "log"))
    book.log.append(b"one\n")
    book.log.flush()
    (tmp_path / "log").rename(tmp_path / "log.1")
    book.reopen()
    book.log.append(b"two\n")
    book.close()
    assert (tmp_path / "log.1").read_bytes() + (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        LogSwitch(settings(tmp_path / "no" / "log"))
