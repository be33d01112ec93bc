"""A child's part in a reload: prepare the change in the background, then switch when told, or drop it.

It knows the messages (verbs.py), and that preparing may take long: a thread does it while the loop keeps serving. The
child defines what is prepared and what switching means. Nothing live may change before `switch`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Generic, Protocol, TypeVar, cast

from lb.config.plan import Plan
from lb.process.channel import Message, shortened
from lb.process.child_config import ChildConfig
from lb.process.every import until_done
from lb.process.memfd import unwrap
from lb.process.verbs import ReloadAnswer, Verb
from lb.tls.files.certificate import TlsError

log = logging.getLogger("lb.worker")

# Seconds for which the thread may hold the interpreter while it prepares: a tenth of the default. With 10,000 domains
# the loop is then late by 8 ms in nine turns out of ten, instead of 20 ms.
_TURN = 0.0005
_NO_THREAD = 1.0  # seconds until a thread that could not be started is tried again


class Droppable(Protocol):
    """What a child has prepared for a `switch`."""

    def drop(self) -> None:
        """Drop it: close what was opened for it."""


P = TypeVar("P", bound=Droppable)
Prepare = Callable[[Plan, ChildConfig, Sequence[socket.socket]], P]


class BackgroundThread:
    """Runs one job after another in a thread that lives only while there are jobs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: deque[Callable[[], Callable[[], None]]] = deque()
        self._turn = sys.getswitchinterval()

    def run(self, job: Callable[[], Callable[[], None]]) -> None:
        """`job` runs in the thread; the function that it returns is then called on the loop. An exception is logged,
        and the next job runs.
        """
        self._jobs.append(job)
        if len(self._jobs) == 1:
            self._start()

    def _start(self) -> None:
        until_done(self._loop, _NO_THREAD, self._begin)

    def _begin(self) -> None:
        """Raises RuntimeError if the system cannot start a thread now."""
        Thread(target=self._work, args=(self._jobs[0],), name="background", daemon=True).start()
        sys.setswitchinterval(_TURN)

    def _work(self, job: Callable[[], Callable[[], None]]) -> None:
        try:
            then = job()
        except BaseException:
            log.exception("a background job failed; nothing has changed")
            then = _nothing
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._done, then)

    def _done(self, then: Callable[[], None]) -> None:
        self._jobs.popleft()
        sys.setswitchinterval(self._turn)
        if self._jobs:
            self._start()
        then()


def _nothing() -> None:
    """There is nothing to do on the loop."""


class ReloadParticipant(Generic[P]):
    """`say` answers the supervisor; `prepare` runs in a thread and gets the sockets that are new to this process;
    `switch` runs on the loop and gets the result of `prepare`.

    `prepare` may raise OSError or TlsError, which is reported to the supervisor.
    """

    def __init__(
        self,
        background: BackgroundThread,
        say: Callable[[Verb, str], None],
        prepare: Prepare[P],
        switch: Callable[[P], None],
    ) -> None:
        self._background = background
        self._say = say
        self._prepare = prepare
        self._switch = switch
        self._wanted = ""  # the number of the supervisor's latest change
        self._prepared: P | None = None

    def heard(self, message: Message) -> None:
        """Handles a message of the supervisor; one that is not about a change is dropped."""
        number = message.rest
        if message.verb is Verb.PREPARE:
            self._forget()
            self._wanted = number
            self._background.run(partial(self._work, number, message.descriptors))
            return
        message.drop()
        if message.verb is Verb.ABANDON and number == self._wanted:
            self._forget()
        elif message.verb is Verb.SWITCH and number == self._wanted and self._prepared is not None:
            prepared, self._prepared = self._prepared, None
            self._switch(prepared)
            self._say(Verb.SWITCHED, number)

    def _forget(self) -> None:
        self._wanted = ""
        if self._prepared is not None:
            self._prepared.drop()
            self._prepared = None

    # In the thread

    def _work(self, number: str, descriptors: tuple[int, ...]) -> Callable[[], None]:
        if not descriptors:
            return partial(self._refused, number, "this process may open no more files; raise `ulimit -n`")
        parcels, sockets = descriptors[:2], []
        try:
            sockets += [socket.socket(fileno=one) for one in descriptors[2:]]
            plan, revision = map(unwrap, parcels)
            prepared = self._prepare(cast("Plan", plan), cast("ChildConfig", revision), sockets)
        except Exception as error:
            for sock in sockets:
                sock.close()
            if not isinstance(error, (OSError, TlsError)):
                log.exception("a change could not be prepared")
            return partial(self._refused, number, str(error) or repr(error))
        finally:
            for parcel in parcels:
                os.close(parcel)
        return partial(self._is_prepared, number, prepared)

    # On the loop again

    def _is_prepared(self, number: str, prepared: P) -> None:
        if number != self._wanted:
            prepared.drop()
            return
        self._prepared = prepared
        self._say(Verb.PREPARED, number)

    def _refused(self, number: str, reason: str) -> None:
        if number == self._wanted:
            self._say(Verb.REFUSED, str(ReloadAnswer(number, shortened(reason))))
