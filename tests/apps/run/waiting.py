"""Waiting for a condition on the loop, as `tests/e2e/harness/waiting.py` does without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from lb.apps.run.instance import LaunchedInstance
from tests.e2e.harness.waiting import PATIENCE

_STEP = 0.01


async def until(condition: Callable[[], Awaitable[object]], what: str, patience: float = PATIENCE) -> None:
    """Returns when the condition holds; AssertionError naming `what` after `patience` seconds."""
    end = time.monotonic() + patience
    while not await condition():
        assert time.monotonic() < end, f"waited {patience} s in vain for {what}"
        await asyncio.sleep(_STEP)


async def until_line(running: LaunchedInstance, text: str, times: int = 1) -> None:
    """Returns when the instance has written the line."""

    async def written() -> bool:
        lines = await running.last_lines(50)
        assert not running.ended or lines.count(text) >= times, f"it ended: {lines}"
        return lines.count(text) >= times

    await until(written, f"the line {text!r}")
