"""What the engine remembers of each instance's name (web1, web2 …): which process has it, how often it ended, and why.

Times are seconds since boot. This file knows when another start is due. It starts nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from lb.apps.service.parts import RunningInstance

_LONGEST_PAUSE = 60.0
_STEADY = 60.0  # seconds after which an end is no longer a part of the same trouble


class SlotPhase(StrEnum):
    """What `lb ps` calls it."""

    STARTING = "starting"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    CRASHING = "crashing"


@dataclass(slots=True, eq=False)
class Slot:
    """One name of an environment. `revival` is the task that fills it again."""

    name: str
    release: str
    listens: bool = True
    instance: RunningInstance | None = None
    since: float = 0.0
    restarts: int = 0
    troubles: int = 0
    last_cause: str = ""
    note: str = ""  # what an operator should know of it while it serves
    unhealthy_since: float | None = None
    revival: asyncio.Task[None] | None = None

    @property
    def phase(self) -> SlotPhase:
        if self.instance is None:
            return SlotPhase.CRASHING if self.troubles else SlotPhase.STARTING
        return SlotPhase.RUNNING if self.unhealthy_since is None else SlotPhase.UNHEALTHY

    @property
    def is_soon_back(self) -> bool:
        """Whether it is worth waiting for: it starts for the first time, or at once after its first trouble."""
        return self.instance is None and self.troubles <= 1

    def filled(self, instance: RunningInstance, now: float) -> None:
        self.instance = instance
        self.since = now
        self.unhealthy_since = None

    def ended(self, cause: str, now: float) -> None:
        """Its instance ended by itself, or another did not start."""
        lived = now - self.since if self.instance is not None else 0.0
        if self.instance is not None:
            self.restarts += 1
        self.instance = None
        self.unhealthy_since = None
        self.last_cause = cause
        self.troubles = 1 if lived >= _STEADY else self.troubles + 1

    @property
    def pause(self) -> float:
        """Seconds until the next start: at once after the first trouble, then 1, 2, 4 … 60."""
        return 0.0 if self.troubles <= 1 else min(2.0 ** min(self.troubles - 2, 10), _LONGEST_PAUSE)

    def drop(self) -> None:
        """Nobody fills it any more."""
        if self.revival is not None:
            self.revival.cancel()
            self.revival = None
