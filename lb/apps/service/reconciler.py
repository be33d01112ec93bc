"""Keeps one environment as it should be: what its placement names runs, and nothing else does.

Starting the engine is the same as any other moment: read the placement, take over what runs, end what nobody wants,
start what lacks. Every change of what serves is one write of `placement.json` and one message to the door. This file
knows instances, slots and placements; how several are started for a new version is in rollout.py, how unfit ones are
replaced in replacement.py, how old ones end in retirement.py, sleep in sleeper.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from lb.apps.run.exit import Exit
from lb.apps.run.order import InstanceOrder
from lb.apps.service.clock import EngineClock
from lb.apps.service.directory import EnvironmentDirectory
from lb.apps.service.parts import CheckOrder, Machine, NotStartedError, ReleaseFacts, RunningInstance
from lb.apps.service.placement_record import (
    DesiredState,
    Placed,
    PlacementRecord,
    Retiring,
    read_placement,
    write_placement,
)
from lb.apps.service.placements import PlacedInstance, Placement, PlacementState, RowState
from lb.apps.service.slots import Slot
from lb.config.model import EnvironmentSettings

log = logging.getLogger("lb.engine")


class Orders(Protocol):
    """What the environment's app says about its instances."""

    def release(self, tag: str) -> ReleaseFacts:
        """Raises NotStartedError where it is gone."""

    def instance(self, release: ReleaseFacts, name: str, command: str | None = None) -> InstanceOrder:
        """The order for one; with a `command`, for one that does not listen."""

    def check(self, release: ReleaseFacts) -> CheckOrder: ...


@dataclass(frozen=True, slots=True)
class ReconcilerContext:
    """What a reconciler works with."""

    machine: Machine
    clock: EngineClock
    orders: Orders
    announce: Callable[[Placement], None]
    retired: Callable[[str, bool], None]  # a deploy's id, and whether all that it retired has ended


class Reconciler:
    """One environment of one app."""

    def __init__(
        self,
        app: str,
        environment: str,
        settings: EnvironmentSettings,
        home: EnvironmentDirectory,
        around: ReconcilerContext,
    ) -> None:
        """Raises StateFileError."""
        self.app = app
        self.environment = environment
        self.settings = settings
        self.home = home
        self.around = around
        self.record: PlacementRecord = read_placement(home.placement)
        self.instances: dict[str, RunningInstance] = {}
        self.slots: dict[str, Slot] = {}
        self.rollout = asyncio.Lock()
        self.state_override: tuple[PlacementState, str, float] | None = None  # while it wakes, or failed to
        self.gone = False
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # What is

    @property
    def title(self) -> str:
        return f"app {self.app} {self.environment}"

    @property
    def count(self) -> int:
        return self.record.count if self.record.count is not None else self.settings.count

    @property
    def retiring(self) -> tuple[Retiring, ...]:
        return self.record.retiring

    def placement(self) -> Placement:
        """What the door is told."""
        record = self.record
        state, cause, retry_at = self._state()
        asleep = record.wish == DesiredState.SLEEP
        rows = tuple(
            PlacedInstance(one.id, one.name, one.endpoint, one.release, RowState.ASLEEP if asleep else RowState.HEALTHY)
            for one in record.placed
            if one.listens
        )
        return Placement(self.app, self.environment, record.generation, state, record.release, rows, cause, retry_at)

    def _state(self) -> tuple[PlacementState, str, float]:
        if self.gone:
            return PlacementState.GONE, "", 0.0
        if self.state_override is not None:
            return self.state_override
        states = {
            DesiredState.NOTHING: PlacementState.NEVER,
            DesiredState.RUN: PlacementState.RUNNING,
            DesiredState.SLEEP: PlacementState.ASLEEP,
            DesiredState.STOP: PlacementState.STOPPED,
        }
        if self.record.wish != DesiredState.RUN or any(one.listens for one in self.record.placed):
            return states[self.record.wish], "", 0.0
        coming = [slot for slot in self.slots.values() if slot.listens and slot.instance is None]
        if any(slot.is_soon_back for slot in coming):
            return PlacementState.WAKING, "", 0.0  # requests wait
        return PlacementState.RUNNING, next((slot.last_cause for slot in coming if slot.last_cause), ""), 0.0

    # Changing what is

    def commit(self, record: PlacementRecord) -> None:
        """Makes `record` true: on the disk first, then for the door. Raises OSError, and nothing has changed."""
        write_placement(self.home.placement, record)
        self.record = record
        self.announce()

    def write(self, record: PlacementRecord, *, tell: bool = True) -> None:
        """The same for what has happened anyway: a full disk must not keep the door from hearing of it."""
        try:
            write_placement(self.home.placement, record)
        except OSError as error:  # after a kill the next engine finds an older placement, and mends it
            log.warning("%s: the placement cannot be written: %s", self.title, error.strerror or error)
        self.record = record
        if tell:
            self.announce()

    def announce(self) -> None:
        self.around.announce(self.placement())

    def announce_state(self, override: tuple[PlacementState, str, float] | None) -> None:
        """Tells the door of a state that is not kept over a restart: waking, or failed to."""
        self.state_override = override
        self.write(self.record.next())

    def switch(
        self,
        tag: str,
        started: Sequence[tuple[Slot, RunningInstance]],
        deploy: str,
        wish: DesiredState = DesiredState.RUN,
        **more: int | None,
    ) -> None:
        """The new instances serve and all others are retired, in one step. `more` are further changes of the record.
        Raises OSError.
        """
        placed = tuple(_placed(slot, instance) for slot, instance in started)
        kept = {one.id for one in placed}
        retiring = tuple(self._retiring(one, deploy) for one in self.record.placed if one.id not in kept)
        self.state_override = None
        self.commit(
            self.record.next(wish=wish, release=tag, placed=placed, retiring=(*self.record.retiring, *retiring), **more)
        )
        for slot in self.slots.values():
            slot.drop()
        for slot, instance in started:
            self.instances[instance.id] = instance
            before = self.slots.get(slot.name)
            if before is not None and before.release == slot.release:
                slot.restarts, slot.last_cause = before.restarts, before.last_cause
            slot.filled(instance, self.around.clock.boot())
            self._watch(instance)
        self.slots = {slot.name: slot for slot, _ in started}
        if tag:
            with suppress(NotStartedError, OSError):
                self.home.point_to(self.around.orders.release(tag).path)

    def retire_all(self, deploy: str, wish: DesiredState) -> None:
        """Nothing serves any more; what ran drains and ends. Raises OSError."""
        self.switch(self.record.release, (), deploy, wish)

    def _retiring(self, one: Placed, deploy: str = "", *, drains: bool = True) -> Retiring:
        clock = self.around.clock
        return Retiring(one.id, one.name, one.release, clock.boot(), clock.boot_id(), drains and one.listens, deploy)

    def end_quietly(self) -> None:
        """What serves nobody by now ends without a drain: the environment has fallen asleep."""
        retiring = tuple(self._retiring(one, drains=False) for one in self.record.placed)
        self.write(self.record.next(placed=(), retiring=(*self.record.retiring, *retiring)))
        for slot in self.slots.values():
            slot.drop()
        self.slots = {}

    def place(self, slot: Slot, instance: RunningInstance, wish: DesiredState | None = None) -> None:
        """One instance more, or in another's stead, serves from now on."""
        before = tuple(one for one in self.record.placed if one.name == slot.name)
        placed = (*(one for one in self.record.placed if one.name != slot.name), _placed(slot, instance))
        retiring = (*self.record.retiring, *(self._retiring(one) for one in before))
        self.state_override = None
        self.write(
            self.record.next(
                placed=tuple(sorted(placed, key=_by_name)), retiring=retiring, wish=wish or self.record.wish
            )
        )
        self.instances[instance.id] = instance
        slot.filled(instance, self.around.clock.boot())
        self.slots[slot.name] = slot
        self._watch(instance)

    def retired(self, identifier: str) -> None:
        """One that drained has ended."""
        left = tuple(one for one in self.record.retiring if one.id != identifier)
        self.record_quietly(left)
        instance = self.instances.pop(identifier, None)
        if (watch := self._watches.pop(identifier, None)) is not None:
            watch.cancel()
        if instance is not None:
            instance.forget()

    def record_quietly(self, retiring: tuple[Retiring, ...]) -> None:
        """What drains is nothing that the door is told of."""
        record = replace(self.record, retiring=retiring)
        self.write(record, tell=False)

    # Start, and life

    def adopt(self, found: Iterable[RunningInstance]) -> list[RunningInstance]:
        """Takes over what runs; returns what nobody wants."""
        unwanted = []
        known = {one.id for one in self.record.placed} | {one.id for one in self.record.retiring}
        for instance in found:
            if instance.id in known:
                self.instances[instance.id] = instance
            else:
                unwanted.append(instance)
        for one in self.record.placed:
            slot = self.slots[one.name] = Slot(one.name, one.release, one.listens)
            if one.id in self.instances:
                slot.filled(self.instances[one.id], self.around.clock.boot())
        lost = [one for one in self.record.placed if one.id not in self.instances]
        gone = [one for one in self.record.retiring if one.id not in self.instances]
        if lost or gone:
            self.write(
                self.record.next(
                    placed=tuple(one for one in self.record.placed if one not in lost),
                    retiring=tuple(one for one in self.record.retiring if one not in gone),
                )
            )
        return unwanted

    def begin(self) -> None:
        """After `adopt`: watch what runs, and start what lacks."""
        for one in self.record.placed:
            self._watch(self.instances[one.id])
        if self.record.wish == DesiredState.RUN:
            self.fill()
            if not self.record.placed:
                self.write(self.record.next())  # the door may have come before: requests wait from now on

    def fill(self) -> None:
        """Starts whatever should run and does not."""
        if self.record.wish != DesiredState.RUN or not self.record.release:
            return
        try:
            release = self.around.orders.release(self.record.release)
        except NotStartedError as problem:
            log.error("%s: %s", self.title, problem)  # noqa: TRY400  a deploy mends it
            return
        for name, listens in wanted_names(self.count, release):
            slot = self.slots.setdefault(name, Slot(name, release.tag, listens))
            if slot.instance is None and slot.revival is None:
                slot.revival = self.spawn(self._revive(slot))

    async def _revive(self, slot: Slot) -> None:
        clock = self.around.clock
        while slot.instance is None:
            await clock.sleep(slot.pause)
            try:
                instance = await self.start(slot)
            except NotStartedError as problem:
                slot.ended(problem.sentence, clock.boot())
                log.warning("%s %s: %s; the next start is in %.0f s", self.title, slot.name, problem, slot.pause)
                if not any(one.listens for one in self.record.placed):
                    self.write(self.record.next())  # nothing else serves: requests no longer wait, and get the cause
                continue
            try:
                if self.slots.get(slot.name) is slot and self.record.wish == DesiredState.RUN:
                    self.place(slot, instance)
                    log.info("%s %s: runs again (%s)", self.title, slot.name, slot.release)
            finally:
                if slot.instance is not instance:
                    await self.end(instance)
        slot.revival = None

    async def start(self, slot: Slot) -> RunningInstance:
        """An instance that has passed its start check. Raises NotStartedError; then nothing of it is left."""
        orders, machine = self.around.orders, self.around.machine
        release = orders.release(slot.release)
        if slot.listens:
            instance = await machine.start(orders.instance(release, slot.name), orders.check(release))
            slot.note = await machine.beside_the_door(instance)
            return instance
        return await machine.launch(orders.instance(release, slot.name, release.start.workers[slot.name]))

    async def end(self, instance: RunningInstance) -> None:
        """Ends one that serves nobody."""
        await asyncio.shield(self.spawn(self._end(instance)))

    async def _end(self, instance: RunningInstance) -> None:
        await instance.terminate(self.settings.stop_timeout)
        instance.forget()

    def _watch(self, instance: RunningInstance) -> None:
        if instance.id not in self._watches:
            task = self._watches[instance.id] = asyncio.ensure_future(self._wait(instance))
            task.add_done_callback(_tell)

    async def _wait(self, instance: RunningInstance) -> None:
        self._ended(instance, await instance.wait_exit())

    def _ended(self, instance: RunningInstance, ended: Exit) -> None:
        """An instance ended without having been told to by us, or while it drained."""
        self._watches.pop(instance.id, None)
        slot = next((slot for slot in self.slots.values() if slot.instance is instance), None)
        if slot is None or all(one.id != instance.id for one in self.record.placed):
            return  # it was retired: whoever ends it waits for it, too
        slot.ended(ended.sentence(), self.around.clock.boot())
        log.warning("%s %s %s", self.title, slot.name, slot.last_cause)
        self.instances.pop(instance.id, None)
        self.write(self.record.next(placed=tuple(one for one in self.record.placed if one.id != instance.id)))
        instance.forget()
        self.fill()

    # Tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that is not lost; what goes wrong in it is said."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_tell)
        return task

    async def close(self) -> None:
        """The engine ends and leaves everything as it runs."""
        tasks = [*self._tasks, *self._watches.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def wanted_names(count: int, release: ReleaseFacts) -> list[tuple[str, bool]]:
    """The names of an environment's instances, and whether each listens."""
    return [(f"web{number}", True) for number in range(1, count + 1)] + [
        (name, False) for name in release.start.workers
    ]


def _placed(slot: Slot, instance: RunningInstance) -> Placed:
    return Placed(instance.id, slot.name, slot.release, instance.endpoint, slot.listens)


def _by_name(one: Placed) -> tuple[bool, int, str]:
    return not one.listens, len(one.name), one.name


def _tell(task: asyncio.Task[None]) -> None:
    """What a task of ours did not foresee is at least said."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the engine's fault: %s", error, exc_info=error)
