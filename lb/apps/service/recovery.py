"""What a new engine does with the deploys that the one before left unfinished: by their state, and nothing else.

    queued               dropped, and said
    receiving, building  removed; the log stays
    releasing            failed: the release command is not repeated
    starting             failed; what it had started is ended (nobody's placement names it)
    switching            done if the placement names the new instances, else done again if they all still run
    draining, stopping   goes on

Instances were adopted before this runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lb.apps.service.clock import EngineClock
from lb.apps.service.deploy_state import DeployBook, DeployRecord, DeployState
from lb.apps.service.parts import RunningInstance
from lb.apps.service.reconciler import Reconciler
from lb.apps.service.slots import Slot

log = logging.getLogger("lb.engine")

_NOTES = {
    DeployState.QUEUED: "the engine was restarted while the deploy waited",
    DeployState.RECEIVING: "the engine was restarted while it received the source",
    DeployState.BUILDING: "the engine was restarted during the build",
    DeployState.RELEASING: "the release command was interrupted: the engine was restarted. It is not repeated",
    DeployState.STARTING: "the engine was restarted while the new instances started",
    DeployState.SWITCHING: "the new instances ended before the switch",
}
_UNBUILT = (DeployState.RECEIVING, DeployState.BUILDING)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of the deploys: `kept` are instances that are wanted after all."""

    kept: frozenset[str]


def recover(
    life: Reconciler,
    book: DeployBook,
    clock: EngineClock,
    remove: Callable[[str], None],
    found: Iterable[RunningInstance],
) -> Recovered:
    """Ends or goes on with each unfinished deploy; no placement names the instances `found`. Raises OSError."""
    loose = {instance.id: instance for instance in found}
    kept: set[str] = set()
    for record in book.unfinished:
        if record.state in (DeployState.DRAINING, DeployState.STOPPING):
            if all(one.deploy != record.id for one in life.retiring):
                book.move(record, DeployState.DONE, clock.now())
        elif record.state == DeployState.SWITCHING:
            kept |= _switch_again(life, book, clock, record, loose)
        else:
            if record.state in _UNBUILT and record.kind.builds and record.tag:
                remove(record.tag)
            _fail(life, book, clock, record)
    return Recovered(frozenset(kept))


def _switch_again(
    life: Reconciler, book: DeployBook, clock: EngineClock, record: DeployRecord, loose: dict[str, RunningInstance]
) -> set[str]:
    placed = {one.id for one in life.record.placed}
    if record.new and placed & set(record.new):
        _drain(life, book, clock, record)
        return set()
    instances = [loose[identifier] for identifier in record.new if identifier in loose]
    if not instances or len(instances) < len(record.new):
        _fail(life, book, clock, record)
        return set()
    started = [(Slot(one.facts.name, record.tag, bool(one.endpoint)), one) for one in instances]
    life.switch(record.tag, started, record.id)
    _drain(life, book, clock, record)
    return {one.id for one in instances}


def _drain(life: Reconciler, book: DeployBook, clock: EngineClock, record: DeployRecord) -> None:
    drains = any(one.deploy == record.id for one in life.retiring)
    book.move(record, DeployState.DRAINING if drains else DeployState.DONE, clock.now())
    log.info("%s: the switch to %s was completed", life.title, record.tag)


def _fail(life: Reconciler, book: DeployBook, clock: EngineClock, record: DeployRecord) -> None:
    note = _NOTES[record.state]
    book.move(record, DeployState.FAILED, clock.now(), note)
    log.warning("%s: deploy %s failed: %s", life.title, record.tag or record.id, note)
