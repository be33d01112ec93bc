"""Puts an environment to sleep that nobody asks for, and wakes it: one start, whoever and how many wait (S1).

    awake → dozing    no request for `sleep`: the rows say ASLEEP, what runs goes on running
    dozing → asleep   all workers follow, nothing is open: the instances end
    dozing → awake    a request waits: the rows say HEALTHY again
    asleep → awake    a request waits: one instance starts; when it is healthy it serves, and the others follow
    awake → limited   it ran for more than `daily_limit` of the last 24 hours: it drains and ends, requests get 503
    limited → awake   a request comes after the time that was told

It sleeps only while a door is connected, which alone knows of requests. This file decides when. It must not know how
an instance is started.
"""

from __future__ import annotations

import logging

from lb.apps.service.door_figures import DoorFigures
from lb.apps.service.parts import NotStartedError
from lb.apps.service.placement_record import DesiredState
from lb.apps.service.placements import Activity, PlacementState
from lb.apps.service.reconciler import Reconciler
from lb.apps.service.running_time import RunningTime
from lb.apps.service.slots import Slot
from lb.process.wording import duration

log = logging.getLogger("lb.engine")

_LONGEST_PAUSE = 60.0  # seconds between two wakes that fail


class Sleeper:
    """Of one environment."""

    def __init__(self, life: Reconciler, figures: DoorFigures) -> None:
        self._life = life
        self._figures = figures
        self._failures = 0
        self._retry_at = 0.0  # seconds since boot
        self._wakes = False
        self._news = False  # the door has said something since the rows said ASLEEP
        self._running = RunningTime(life.home.running_time)

    @property
    def is_waking(self) -> bool:
        return self._wakes

    def saw(self, activity: Activity) -> None:
        """The door said what it sees."""
        life = self._life
        if activity.waiting and life.record.wish == DesiredState.SLEEP:
            self.wanted()
        elif life.record.wish == DesiredState.SLEEP and life.record.placed:
            self._news = True
        elif self._may_doze(activity):
            self._doze()

    def _may_doze(self, activity: Activity) -> bool:
        life = self._life
        return (
            life.settings.sleep is not None
            and life.record.wish == DesiredState.RUN
            and bool(life.record.placed)
            and activity.idle >= life.settings.sleep
            and not activity.waiting
            and not any(one.is_busy for one in activity.instances.values())
            and not life.rollout.locked()
            and not life.retiring
        )

    def _doze(self) -> None:
        life = self._life
        self._news = False
        life.write(life.record.next(wish=DesiredState.SLEEP))
        log.info("%s falls asleep: no request for %.0f s", life.title, life.settings.sleep or 0.0)

    def look(self) -> None:
        """To be called each second: ends what nobody uses any more, and what has run for too long."""
        life = self._life
        if life.settings.daily_limit is not None:
            self._look_at_the_day(life.settings.daily_limit)
        if life.record.wish != DesiredState.SLEEP or not life.record.placed or not self._figures.is_connected:
            return
        follows = self._figures.follows(life.app, life.environment, life.record.generation)
        if follows and self._news and not self._figures.any_busy(life.app, life.environment):
            life.end_quietly()

    def _look_at_the_day(self, limit: float) -> None:
        life = self._life
        now = life.around.clock.now()
        self._running.look(now, runs=bool(life.record.placed))
        if life.record.wish != DesiredState.RUN or life.rollout.locked() or self._running.within_day(now) <= limit:
            return
        try:
            life.retire_all("", DesiredState.SLEEP)
        except OSError as error:
            log.warning("%s: the placement cannot be written: %s", life.title, error.strerror or error)
            return
        log.info("%s is put to sleep: it ran for more than %s of the last 24 hours", life.title, duration(limit))
        self._is_limited(limit)

    def _is_limited(self, limit: float | None) -> bool:
        """Whether it may not wake now; then the door is told until when."""
        if limit is None:
            return False
        clock, life = self._life.around.clock, self._life
        until = self._running.allowed_at(clock.now(), limit)
        if until <= clock.now():
            return False
        if life.state_override is None or life.state_override[0] != PlacementState.LIMITED:
            cause = f"it ran for more than {duration(limit)} of the last 24 hours (daily_limit)"
            life.announce_state((PlacementState.LIMITED, cause, until))
        return True

    def wanted(self) -> None:
        """A request waits."""
        life = self._life
        if life.record.wish != DesiredState.SLEEP:
            return
        if not life.record.placed and not self._wakes and self._is_limited(life.settings.daily_limit):
            return
        if life.record.placed:
            life.write(life.record.next(wish=DesiredState.RUN))
            life.fill()
        elif not self._wakes and life.around.clock.boot() >= self._retry_at and not life.rollout.locked():
            self._wakes = True
            life.spawn(self._wake())

    async def _wake(self) -> None:
        life = self._life
        clock = life.around.clock
        begun = clock.boot()
        try:
            life.announce_state((PlacementState.WAKING, "", 0.0))
            slot = Slot("web1", life.record.release)
            instance = await life.start(slot)
        except NotStartedError as problem:
            self._failures += 1
            pause = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE)
            self._retry_at = clock.boot() + pause
            life.announce_state((PlacementState.FAILED, problem.sentence, clock.now() + pause))
            log.warning("%s did not wake: %s; the next try is in %.0f s at the earliest", life.title, problem, pause)
            return
        finally:
            self._wakes = False
        if life.record.wish != DesiredState.SLEEP or life.record.placed:
            await life.end(instance)  # a deploy, or a stop, was faster
            return
        self._failures = 0
        life.place(slot, instance, DesiredState.RUN)
        life.fill()
        log.info("%s is awake after %.1f s", life.title, clock.boot() - begun)
