"""The two clocks that the engine goes by: the calendar's, and one that suspending or setting does not mislead.

Deadlines are in seconds since boot, which count on while the machine is suspended and do not jump; they mean something
only together with the boot they belong to. Tests pass a clock of their own.
"""

from __future__ import annotations

import asyncio
import time
from functools import cache
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class EngineClock(Protocol):
    """Time, as the engine asks for it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def boot(self) -> float:
        """Seconds since the machine was started."""

    def boot_id(self) -> str:
        """What tells this boot from every other."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's."""

    def now(self) -> float:
        return time.time()

    def boot(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()

    def boot_id(self) -> str:
        return _boot_id()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@cache
def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
