"""Errands: work that may wait for others, such as a slow disk or a resolver, done in a process of its own.

Whoever sends one out goes on meanwhile, and is told what came of it when the process has gone. A thread would do it as
well, but a process with threads must not fork, and nobody can end a thread that waits for a disk. It knows nothing of
what is done.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Generic, TypeVar

from lb.process.channel import Line
from lb.process.child import Child, Role, RolePlace
from lb.process.memfd import unwrap, wrap_up
from lb.process.verbs import Verb
from lb.process.wording import death_in_words
from lb.telemetry.process_kind import ProcessKind

T = TypeVar("T")

_GRACE = 5.0  # seconds after which it ends by itself, if nobody is left to do it


@dataclass(frozen=True, slots=True)
class Errand(Generic[T]):
    """What is to be done: `job` returns something that can be pickled. `on_result` gets that, or `on_failure` the
    reason, as what the job did; `patience` in seconds.
    """

    title: str
    job: Callable[[], T]
    on_result: Callable[[T], None]
    on_failure: Callable[[str], None]
    patience: float


@dataclass(slots=True)
class _Messenger:
    """Who is on his way; `over`: nobody waits for him any more."""

    child: Child
    errand: Errand[object]
    due: float
    over: bool = False


class Errands:
    """Those that are on their way. `forget` is called in each new process to close what is the sender's alone."""

    def __init__(self, forget: Callable[[Child], None]) -> None:
        self._forget = forget
        self._messengers: list[_Messenger] = []

    def send(self, errand: Errand[T]) -> Callable[[], None]:
        """Begins it; what is returned calls it off."""
        job = partial(_do, errand.job, errand.patience + _GRACE)
        child = Child(Role(errand.title, job, (), None, RolePlace(ProcessKind.JOB)))
        now = time.monotonic()
        try:
            child.start(now, self._forget)
        except OSError as error:
            errand.on_failure(f"cannot be done: no process can be started ({error.strerror})")
            return _nothing
        messenger = _Messenger(child, errand, now + errand.patience)  # type: ignore[arg-type]  # what it gets is its own
        self._messengers.append(messenger)
        return partial(_call_off, messenger)

    @property
    def pids(self) -> set[int]:
        """The processes that are on their way."""
        return {one.child.pid for one in self._messengers}

    @property
    def due(self) -> float | None:
        """When `expire` has something to do, in seconds of the monotonic clock."""
        return min((one.due for one in self._messengers if not one.over), default=None)

    def expire(self, now: float) -> None:
        """Ends those that take too long."""
        for one in list(self._messengers):
            if not one.over and one.due <= now:
                _call_off(one)
                one.errand.on_failure(f"took longer than {one.errand.patience:.0f} s")

    def reap(self) -> None:
        """A child may have ended: one of these, perhaps."""
        for one in list(self._messengers):
            status = one.child.reap()
            if status is None:
                continue
            self._messengers.remove(one)
            results = _results(one.child)
            one.child.vacate()
            if one.over:
                continue
            one.over = True
            if results:
                one.errand.on_result(results[0])
            else:
                one.errand.on_failure(f"came to nothing: its process {death_in_words(status)}")

    def forget(self) -> None:
        """In a child: closes what is the sender's alone."""
        for one in self._messengers:
            if one.child.line is not None:
                one.child.line.close()


def _results(child: Child) -> list[object]:
    """What it has said before it ended."""
    results = []
    with suppress(EOFError):
        for message in () if child.line is None else child.line.receive():
            results += [unwrap(descriptor) for descriptor in message.descriptors]
            message.drop()
    return results


def _nothing() -> None:
    """There is nothing to be called off."""


def _call_off(one: _Messenger) -> None:
    if not one.over:
        one.over = True
        one.child.send_signal(signal.SIGKILL)


def _do(job: Callable[[], object], longest: float, line: socket.socket) -> int:
    """In its process: the job, and what came of it."""
    signal.alarm(ceil(longest))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    parcel = wrap_up(job())
    # What is sent must not wait for room; a line with one descriptor never has to.
    Line(line).send(Verb.DONE, "", (parcel,))
    return 0
