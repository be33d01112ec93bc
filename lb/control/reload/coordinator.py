"""A reload: the dialogue that brings a changed configuration to every child, or to none.

Idle → reading (another process reads the configuration) → preparing (the next edition is made, every child prepares it
in the background) → switching (all are prepared: they are told to switch) → idle. A refusal, or a missing answer,
abandons it everywhere. The place of a child that dies meanwhile is filled with the old edition, and asked like the
others; or with the new one, once the switch has begun.

This file knows children, messages and a clock. `next_generation` makes the edition; the supervisor fills places and
handles signals.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from typing import Protocol

from lb.control.api.systemd import Notifier
from lb.control.reload.steps import NextGeneration, Plans, Read, ReloadOutcome, failure, read
from lb.process.background_job import BackgroundJob
from lb.process.channel import Message
from lb.process.child import Child, Role
from lb.process.memfd import wrap_up
from lb.process.start_error import StartError
from lb.process.verbs import ReloadAnswer, Verb
from lb.tls.files.certificate import TlsError

log = logging.getLogger("lb.control")

TIMEOUT = 10.0
"""A child has at least so many seconds to prepare, and to switch; or so many times what making the edition took, since
a large configuration on a busy machine takes every process long."""
_TIMES = 5
READING_TIMEOUT = 60.0
"""Seconds for reading the file and the files it names, and for the resolver."""


class ChildManager(Protocol):
    """The children, and what the supervisor does with them."""

    @property
    def children(self) -> Sequence[Child]: ...

    def add_role(self, role: Role) -> None:
        """Add a place for this role."""

    def remove(self, child: Child) -> None:
        """Let it finish and end; its place is removed."""

    def send(self, errand: BackgroundJob[Read]) -> Callable[[], None]:
        """Run this in another process; the returned function cancels it."""


class _State(Enum):
    IDLE = auto()
    READING = auto()
    PREPARING = auto()
    SWITCHING = auto()


class Reload:
    """Started by `request`; the supervisor reports events. Times are seconds of the monotonic clock."""

    def __init__(
        self, plans: Plans, children: ChildManager, notifier: Notifier, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._plans = plans
        self._children = children
        self._notifier = notifier
        self._clock = clock
        self._state = _State.IDLE
        self._asked: list[Callable[[ReloadOutcome], None]] = []  # for the next one
        self._listeners: list[Callable[[ReloadOutcome], None]] = []  # for the one that is running
        self._again = self._ended = False
        self._number = 0
        self._timeout = TIMEOUT
        self._call_off: Callable[[], None] = lambda: None  # cancels the reading
        self._change: NextGeneration | None = None
        self._parcel = -1
        self._awaited: set[int] = set()  # pids of children that have not answered
        self._leaving: list[Child] = []
        self.due: float | None = None  # when to stop waiting for answers

    @property
    def running(self) -> bool:
        return self._state is not _State.IDLE

    @property
    def keeps_busy(self) -> bool:
        """Whether the children are working on it."""
        return self._state in (_State.PREPARING, _State.SWITCHING)

    def request(self, done: Callable[[ReloadOutcome], None] = lambda _: None) -> None:
        """Read the configuration and bring it to all children; `done` gets the outcome at the end.

        While a reload runs, all such calls together request one more after it.
        """
        if self._ended:
            done(ReloadOutcome(("the service is being stopped",)))
            return
        self._asked.append(done)
        self._again = True
        if self._state is _State.IDLE:
            self._begin()

    # Reported by the supervisor

    def heard(self, child: Child, message: Message) -> None:
        """A child has sent a message."""
        number, reason = ReloadAnswer.read(message.rest)
        if number != str(self._number) or child.pid not in self._awaited:
            return
        if self._state is _State.PREPARING and message.verb is Verb.REFUSED:
            self._give_up(f"{child.role.title}: {reason}")
        elif (self._state, message.verb) in _ANSWERS:
            self._awaited.discard(child.pid)
            self._advance()

    def started(self, child: Child) -> None:
        """A place was filled again."""
        if self._state is _State.PREPARING:
            self._ask(child)

    def died(self, child: Child) -> None:
        """A child has ended; its place still describes it."""
        if child.retiring and child.role.slot is not None:
            self._plans.worker_gone(child.role.slot)
        if child.pid in self._awaited:
            self._awaited.discard(child.pid)
            self._advance()
        elif child.retiring:
            self._settle_if_quiet(child)

    def expire(self, now: float) -> None:
        """Time has passed."""
        if self.due is None or now < self.due:
            return
        late = " and ".join(child.role.title for child in self._children.children if child.pid in self._awaited)
        if self._state is _State.PREPARING:
            self._give_up(f"{late} did not answer within {self._timeout:.0f} s")
        else:
            log.warning("%s did not switch within %.0f s; it will when it can", late, self._timeout)
            self._awaited.clear()
            self._advance()

    def end(self) -> None:
        """The service ends: no further change."""
        self._ended = True
        self._again = False
        if self._state is _State.READING:
            self._call_off()
            self._failed(ReloadOutcome(("the service is being stopped",)))
        elif self._state is _State.PREPARING:
            self._give_up("the service is being stopped")
        elif self._state is _State.SWITCHING:
            self._awaited.clear()
            self._advance()
        asked, self._asked = self._asked, []
        for done in asked:
            done(ReloadOutcome(("the service is being stopped",)))

    def forget(self, newborn: Role) -> None:
        """In a newly forked child: close what belongs to the parent only."""
        for sock in () if self._change is None else self._change.sockets:
            if sock not in newborn.sockets:
                sock.close()
        if self._parcel >= 0:
            os.close(self._parcel)

    def _settle_if_quiet(self, gone: Child | None = None) -> None:
        """When no child retires any more, the data of earlier editions is released."""
        children = (child for child in self._children.children if child is not gone)
        if self._state is _State.IDLE and not any(child.retiring for child in children):
            self._plans.release_unused()

    # Reading

    def _begin(self) -> None:
        self._again = False
        self._listeners, self._asked = self._asked, []
        self._notifier.reloading("reloading the configuration")
        self._state = _State.READING
        job = partial(read, self._plans)
        self._call_off = self._children.send(BackgroundJob("reader", job, self._prepare, self._unread, READING_TIMEOUT))

    def _unread(self, reason: str) -> None:
        self._failed(ReloadOutcome((f"reading the configuration and the files it names {reason}",)))

    # Preparing

    def _prepare(self, reading: Read) -> None:
        if isinstance(reading.result, ReloadOutcome):
            self._failed(reading.result)
            return
        began = self._clock()
        busy = [child.role.slot for child in self._children.children if child.role.slot is not None]
        try:
            change = self._plans.next_change(reading.result, busy)
        except (StartError, TlsError, OSError) as error:
            self._failed(failure(error))
            return
        self._change = change
        self._number += 1
        self._state = _State.PREPARING
        self._timeout = max(TIMEOUT, _TIMES * (self._clock() - began + reading.cost))
        self.due = self._clock() + self._timeout
        try:
            self._parcel = wrap_up(change.plan)
        except OSError as error:
            self._give_up(f"the configuration cannot be passed on: {error.strerror}")
            return
        for child in self._children.children:
            self._ask(child)
        self._advance()

    def _ask(self, child: Child) -> None:
        """Ask a child that stays to prepare its part."""
        role = None if self._change is None else _role_of(child, self._change.roles)
        if role is None or role.revision is None or not child.pid:
            return
        had = set(child.role.sockets)
        new = [sock.fileno() for sock in role.sockets if sock not in had]
        try:
            revision = wrap_up(role.revision)
        except OSError as error:
            self._give_up(f"the configuration cannot be passed on to {role.title}: {error.strerror}")
            return
        # If the message is lost, the child ends, or does not answer in time.
        child.say(Verb.PREPARE, str(self._number), (self._parcel, revision, *new))
        os.close(revision)
        self._awaited.add(child.pid)

    def _give_up(self, problem: str) -> None:
        for child in self._children.children:
            if not child.retiring:
                child.say(Verb.ABANDON, str(self._number))
        if self._change is not None:
            self._change.give_up()
        self._failed(ReloadOutcome((problem,)))

    # Switching

    def _advance(self) -> None:
        if self._awaited or self._change is None:
            return
        if self._state is _State.PREPARING:
            self._switch(self._change)
        else:
            self._finish(self._change)

    def _switch(self, change: NextGeneration) -> None:
        try:
            change.listen()
        except OSError as error:
            self._give_up(f"cannot listen: {error.strerror}")
            return
        change.put_in_place()
        self._state = _State.SWITCHING
        self.due = self._clock() + self._timeout
        new = {role.place: role for role in change.roles}
        for child in self._children.children:
            if child.retiring:
                continue
            role = new.get(child.role.place)
            if role is None or (role.revision is None and role.settings != child.role.settings):
                self._leaving.append(child)
                continue
            del new[role.place]
            child.role = role
            if role.revision is not None and child.pid and child.say(Verb.SWITCH, str(self._number)):
                self._awaited.add(child.pid)
        for role in new.values():
            self._children.add_role(role)
        self._advance()

    def _finish(self, change: NextGeneration) -> None:
        # Not before: the children that stay have now taken over the sockets of those that leave.
        for child in self._leaving:
            self._children.remove(child)
        change.finish()
        if change.unchanged:
            log.info("reloaded: the configuration has not changed; the files and names in it were looked up again")
        else:
            log.info("reloaded: the changed configuration is in effect")
        self._over(ReloadOutcome(unchanged=change.unchanged))

    # The end

    def _failed(self, outcome: ReloadOutcome) -> None:
        for problem in outcome.problems:
            log.error("%s", problem)
        log.error("not reloaded: the previous configuration stays in effect")
        self._over(outcome)

    def _over(self, outcome: ReloadOutcome) -> None:
        self._state, self._change, self.due = _State.IDLE, None, None
        self._awaited.clear()
        self._leaving.clear()
        if self._parcel >= 0:
            os.close(self._parcel)
            self._parcel = -1
        self._notifier.ready("serving" if outcome.ok else "serving; the last reload failed, see the log")
        self._settle_if_quiet()
        listeners, self._listeners = self._listeners, []
        for done in listeners:
            done(outcome)
        if self._again and self._state is _State.IDLE:
            self._begin()


_ANSWERS = {(_State.PREPARING, Verb.PREPARED), (_State.SWITCHING, Verb.SWITCHED)}


def _role_of(child: Child, roles: Sequence[Role]) -> Role | None:
    """The role of this child in an edition with these roles; None if it has none, or retires already."""
    if child.retiring:
        return None
    return next((role for role in roles if role.place == child.role.place), None)
