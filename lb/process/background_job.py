"""Errands: jobs that may block, such as on a slow disk or a resolver, run in a process of their own.

The sender continues meanwhile, and gets the result when the process has ended. A thread would not do: a process with
threads must not fork, and a thread that waits for a disk cannot be ended. This file does not know what the jobs do.
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

_GRACE = 5.0  # seconds after its time limit at which an orphaned job ends by itself


@dataclass(frozen=True, slots=True)
class BackgroundJob(Generic[T]):
    """`job` returns something that can be pickled. `on_result` gets it, or `on_failure` gets the reason, a verb phrase
    about the job; `timeout` in seconds.
    """

    title: str
    job: Callable[[], T]
    on_result: Callable[[T], None]
    on_failure: Callable[[str], None]
    timeout: float


@dataclass(slots=True)
class _RunningJob:
    """A running job; `over`: its result is no longer wanted."""

    child: Child
    errand: BackgroundJob[object]
    due: float
    over: bool = False


class BackgroundJobs:
    """The running errands. `forget` is called in each new process to close what only the sender needs."""

    def __init__(self, forget: Callable[[Child], None]) -> None:
        self._forget = forget
        self._messengers: list[_RunningJob] = []

    def send(self, errand: BackgroundJob[T]) -> Callable[[], None]:
        """Starts it; the returned function cancels it."""
        job = partial(_do, errand.job, errand.timeout + _GRACE)
        child = Child(Role(errand.title, job, (), None, RolePlace(ProcessKind.JOB)))
        now = time.monotonic()
        try:
            child.start(now, self._forget)
        except OSError as error:
            errand.on_failure(f"failed: no process can be started ({error.strerror})")
            return _nothing
        messenger = _RunningJob(child, errand, now + errand.timeout)  # type: ignore[arg-type]  # what it gets is its own
        self._messengers.append(messenger)
        return partial(_call_off, messenger)

    @property
    def pids(self) -> set[int]:
        """The process ids of running jobs."""
        return {one.child.pid for one in self._messengers}

    @property
    def due(self) -> float | None:
        """When `expire` has something to do, in seconds of the monotonic clock."""
        return min((one.due for one in self._messengers if not one.over), default=None)

    def expire(self, now: float) -> None:
        """Ends jobs that take too long."""
        for one in list(self._messengers):
            if not one.over and one.due <= now:
                _call_off(one)
                one.errand.on_failure(f"took longer than {one.errand.timeout:.0f} s")

    def reap(self) -> None:
        """A child has ended: reaps it if it is one of these."""
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
                one.errand.on_failure(f"failed: its process {death_in_words(status)}")

    def forget(self) -> None:
        """In a child: closes what only the sender needs."""
        for one in self._messengers:
            if one.child.line is not None:
                one.child.line.close()


def _results(child: Child) -> list[object]:
    """What it sent before it ended."""
    results = []
    with suppress(EOFError):
        for message in () if child.line is None else child.line.receive():
            results += [unwrap(descriptor) for descriptor in message.descriptors]
            message.drop()
    return results


def _nothing() -> None:
    """There is nothing to cancel."""


def _call_off(one: _RunningJob) -> None:
    if not one.over:
        one.over = True
        one.child.send_signal(signal.SIGKILL)


def _do(job: Callable[[], object], longest: float, line: socket.socket) -> int:
    """Runs in the new process: the job, and sending its result."""
    signal.alarm(ceil(longest))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    parcel = wrap_up(job())
    # Sending must not wait for room; a line with one descriptor never does.
    Line(line).send(Verb.DONE, "", (parcel,))
    return 0
