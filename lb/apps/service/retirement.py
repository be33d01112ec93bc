"""How old instances end: 30 s at least for running requests, up to `drain` while any runs; then SIGTERM, and time.

Deadlines are in seconds since boot, so they hold over a kill of the engine and over a clock that is set. This file
knows what the door counts. It must not know why something was retired.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lb.apps.service.placement_record import Retiring
from lb.apps.service.reconciler import Reconciler
from lb.config.model import EnvironmentSettings

log = logging.getLogger("lb.engine")

LEAST_DRAIN = 30.0  # seconds (D1)

Busy = Callable[[str, int], bool | None]
"""Whether the door has anything open at an instance; None where no door says so, or it follows an older generation."""


def longest_drain(settings: EnvironmentSettings) -> float:
    """Seconds after which what is still busy is told to end."""
    return max(settings.drain, LEAST_DRAIN)


class Retirer:
    """Ends what an environment has retired."""

    def __init__(self, life: Reconciler, busy: Busy) -> None:
        self._life = life
        self._busy = busy
        self._under_way: set[str] = set()

    def look(self) -> None:
        """To be called each second: whose drain is over gets SIGTERM."""
        for one in self._life.retiring:
            if one.id not in self._under_way and self._is_over(one):
                self._under_way.add(one.id)
                self._life.spawn(self._end(one))

    def _is_over(self, one: Retiring) -> bool:
        clock = self._life.around.clock
        if not one.drains or one.boot_id != clock.boot_id():
            return True
        waited = clock.boot() - one.since
        if waited < LEAST_DRAIN:
            return False
        busy = self._busy(one.id, self._life.record.generation)
        return waited >= longest_drain(self._life.settings) or busy is False

    async def _end(self, one: Retiring) -> None:
        life = self._life
        if one.deploy:
            life.around.retired(one.deploy, False)
        instance = life.instances.get(one.id)
        if instance is not None:
            ended = await instance.terminate(life.settings.stop_timeout)
            log.info("%s %s (%s) %s", life.title, one.name, one.release, _how(ended.sentence(), ended.clean))
        life.retired(one.id)
        self._under_way.discard(one.id)
        if one.deploy and all(other.deploy != one.deploy for other in life.retiring):
            life.around.retired(one.deploy, True)


def _how(sentence: str, clean: bool) -> str:
    return "has ended" if clean else sentence


async def drained(life: Reconciler) -> None:
    """Returns when nothing is retiring any more."""
    while life.retiring:
        await life.around.clock.sleep(1.0)
        await asyncio.sleep(0)
