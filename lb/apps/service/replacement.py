"""Replaces an instance that no longer works by another one beside it: one at a time, and never many in a row.

The door asks the instances and says what it finds; how much memory they use, the engine sees itself. This file decides
when. It must not know how an instance is started.
"""

from __future__ import annotations

import logging

from lb.apps.run.usage import Usage
from lb.apps.service.parts import NotStartedError
from lb.apps.service.placement_record import DesiredState
from lb.apps.service.reconciler import Reconciler
from lb.apps.service.slots import Slot

log = logging.getLogger("lb.engine")

RESTART_AFTER = 10.0  # seconds for which an instance fails the door's checks before it is replaced
APART = 60.0  # seconds between two replacements: a slow database must not restart everything


class Replacer:
    """Of one environment."""

    def __init__(self, life: Reconciler) -> None:
        self._life = life
        self._busy = False
        self._last = float("-inf")

    def judge(self, identifier: str, cause: str | None) -> None:
        """The door says that an instance works (`cause` is None) or does not."""
        slot = self._find(identifier)
        if slot is None:
            return
        if cause is None:
            slot.unhealthy_since = None
        elif slot.unhealthy_since is None:
            slot.unhealthy_since = self._life.around.clock.boot()
            slot.last_cause = cause

    def look(self) -> None:
        """To be called each second."""
        now = self._life.around.clock.boot()
        for slot in list(self._life.slots.values()):
            since = slot.unhealthy_since
            if since is not None and now - since >= RESTART_AFTER:
                self._replace(slot, f"failed its checks: {slot.last_cause}" if slot.last_cause else "failed its checks")

    def weigh(self, identifier: str, usage: Usage) -> None:
        """What an instance uses at present."""
        slot = self._find(identifier)
        if slot is None:
            return
        if usage.memory_high:
            self._replace(slot, "used more than 90 % of its memory")

    def _find(self, identifier: str) -> Slot | None:
        slots = self._life.slots.values()
        return next((one for one in slots if one.instance is not None and one.instance.id == identifier), None)

    def _replace(self, slot: Slot, cause: str) -> None:
        now = self._life.around.clock.boot()
        if self._busy or now - self._last < APART or self._life.rollout.locked():
            return
        self._busy, self._last = True, now
        self._life.spawn(self._start_beside(slot, cause))

    async def _start_beside(self, slot: Slot, cause: str) -> None:
        life = self._life
        log.warning("%s %s %s; another one starts beside it", life.title, slot.name, cause)
        before = slot.instance
        try:
            instance = await life.start(Slot(slot.name, slot.release, slot.listens))
        except NotStartedError as problem:
            slot.last_cause = problem.sentence
            log.warning("%s %s: the replacement did not start: %s", life.title, slot.name, problem)
            return
        finally:
            self._busy = False
        if life.slots.get(slot.name) is not slot or slot.instance is not before or life.record.wish != DesiredState.RUN:
            await life.end(instance)
            return
        slot.restarts += 1
        slot.last_cause = cause
        slot.troubles = 0
        life.place(slot, instance)
