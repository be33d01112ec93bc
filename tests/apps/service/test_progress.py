"""What a deploy says: all of it, for whoever joins at any time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lb.apps.service import progress as module
from lb.apps.service.progress import Progress


async def heard(progress: Progress) -> list[dict[str, Any]]:
    return [event async for event in progress.follow()]


async def test_who_joins_early_and_who_joins_late_hear_the_same() -> None:
    progress = Progress()
    early = asyncio.ensure_future(heard(progress))
    progress.step("Building")
    progress.line("a line")
    await asyncio.wait((asyncio.ensure_future(asyncio.sleep(0)),))
    progress.ask("source")
    progress.finish({"code": 0})
    expected = [
        {"event": "step", "text": "Building"},
        {"event": "line", "text": "a line"},
        {"event": "send", "what": "source"},
        {"event": "result", "code": 0},
    ]
    assert await early == expected
    assert await heard(progress) == expected


async def test_what_is_kept_is_bounded_and_the_result_is_never_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 3)
    progress = Progress()
    for number in range(10):
        progress.line(str(number))
    progress.finish({"code": 1})
    assert [event["event"] for event in await heard(progress)] == ["line", "line", "line", "result"]
