"""Starts the instances of another version beside those that serve, one by one, and switches when they are healthy.

The first one must pass; where a later one fails twice, those that passed take over and the missing ones are started
again by the reconciler (H5). Until the switch nothing that serves has been touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from lb.apps.service.parts import DeployCancelledError, NotStartedError, RunningInstance, Say
from lb.apps.service.reconciler import Reconciler, wanted_names
from lb.apps.service.slots import Slot

_LOOK = 1.0  # seconds
T = TypeVar("T")


@dataclass(slots=True)
class StartedInstances:
    """What was started: each with its slot. `failed` are those that the reconciler has to start."""

    started: list[tuple[Slot, RunningInstance]]
    failed: list[Slot]


async def wait_for_two_versions(life: Reconciler, say: Say, cancelled: asyncio.Event) -> None:
    """A third version of one environment waits until the one before has drained; while nothing serves, as after a stop,
    there are not two. Raises DeployCancelledError.
    """
    told = False
    while life.retiring and life.record.placed:
        if cancelled.is_set():
            raise DeployCancelledError
        if not told:
            names = ", ".join(sorted({one.release for one in life.retiring}))
            say(f"Waiting for the version before ({names}) to finish its requests")
            told = True
        await life.around.clock.sleep(_LOOK)


async def start_fleet(
    life: Reconciler, tag: str, count: int, say: Say, cancelled: asyncio.Event, known: Callable[[str], None]
) -> StartedInstances:
    """`count` instances of a release, and its workers. `known` gets the id of each. Where it raises NotStartedError or
    DeployCancelledError, nothing of them is left.
    """
    fleet = StartedInstances([], [])
    try:
        for name, listens in wanted_names(count, life.around.orders.release(tag)):
            slot = Slot(name, tag, listens)
            try:
                instance = await _start(life, slot, say, cancelled)
            except NotStartedError as problem:
                if not fleet.started:
                    raise
                slot.ended(problem.sentence, life.around.clock.boot())
                fleet.failed.append(slot)
                say(f"{name} did not start: {problem.sentence} It is tried again while the others serve")
                continue
            fleet.started.append((slot, instance))
            known(instance.id)
            say(f"{name} is {'healthy' if listens else 'running'}")
            if slot.note and name == "web1":
                say(slot.note)
    except BaseException:
        await end_fleet(life, fleet)
        raise
    return fleet


async def end_fleet(life: Reconciler, fleet: StartedInstances) -> None:
    """Ends what was started in vain."""
    await asyncio.gather(*(life.end(instance) for _, instance in fleet.started))
    fleet.started.clear()


async def _start(life: Reconciler, slot: Slot, say: Say, cancelled: asyncio.Event) -> RunningInstance:
    try:
        return await unless_cancelled(life.start(slot), cancelled)
    except NotStartedError as problem:
        if slot.name == "web1":
            raise
        say(f"{slot.name} did not start: {problem.sentence} It is tried once more")
    return await unless_cancelled(life.start(slot), cancelled)


async def unless_cancelled(work: Coroutine[Any, Any, T], cancelled: asyncio.Event) -> T:
    """What `work` returns; ends it, and raises DeployCancelledError, if somebody cancels meanwhile."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(cancelled.wait())
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise DeployCancelledError
    finally:
        watch.cancel()
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
