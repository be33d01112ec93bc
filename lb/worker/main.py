"""A worker: one process with an event loop that serves what it inherited, applies changes, drains and ends.

It knows signals, the channel to the supervisor and the engine's few methods; it does not know HTTP. Its states: serving
→ draining (SIGTERM, or the supervisor's death) → ended. A message of the supervisor cuts draining short, not a second
SIGTERM, which may be the first one sent to all processes of the service; only an orphan obeys that. If others serve the
same sockets it retires instead: the same, without haste. Meanwhile it reports what is still open, and closes it when
the supervisor says that its time is over; an orphan uses the configured times.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lb.config.model import AccessLogSettings
from lb.process.channel import Channel, Message
from lb.process.every import every
from lb.process.limits import calm_garbage_collector, raise_descriptor_limit
from lb.process.loop import new_loop
from lb.process.remaining import dump
from lb.process.verbs import Verb
from lb.proxy.engine import Engine
from lb.routing.clients import Clients
from lb.routing.registry import Registry
from lb.routing.snapshot import Snapshot
from lb.telemetry.counters import CounterRow
from lb.telemetry.deployed_figures import DeployedPage
from lb.telemetry.failure_notices import FailureNotices
from lb.telemetry.instance_gauges import GaugePage
from lb.tls.files.sources import Sources
from lb.tls.handshake.contexts import Contexts
from lb.worker.apply import LiveParts, WorkerReload
from lb.worker.deployed_report import EVERY as EVERY_DEPLOYED
from lb.worker.deployed_report import DeployedReport
from lb.worker.failures import InstanceFailures
from lb.worker.instance_stats import EVERY, InstanceStats
from lb.worker.listening import ListeningSocket, WorkerListeners
from lb.worker.log_switch import LogSwitch, line_of
from lb.worker.unraisable import Unraisable

log = logging.getLogger("lb.worker")

_LOOK = 0.02  # seconds between two checks whether a drain is over
_TELL = 0.5  # and between two reports of what is still open
ENDING = 1.0
"""Seconds that clients have to receive what is queued for them when the time to drain is over."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Everything that a worker inherits, made before the fork. `sources` tells which certificates exist for
    `contexts`.
    """

    snapshot: Snapshot
    registry: Registry
    listeners: tuple[ListeningSocket, ...]
    contexts: Contexts
    sources: Sources
    access_log: AccessLogSettings
    row: CounterRow
    page: GaugePage
    deployed_page: DeployedPage
    said: FailureNotices
    clients: Clients
    slot: int


def run_worker(assignment: Assignment, line: socket.socket) -> int:
    """Serves until told to end; returns the exit status 0. `line` is this end of the channel to the supervisor.

    Expects SIGTERM and SIGUSR1 blocked, and unblocks them when it can handle them.
    """
    raise_descriptor_limit()
    sys.unraisablehook = Unraisable(assignment.contexts.count_unknown)
    loop = new_loop()
    worker = _Worker(loop, assignment, line)
    try:
        worker.start(assignment.listeners)
        loop.run_forever()
    finally:
        worker.close()
        loop.close()
    return 0


class _Worker:
    def __init__(self, loop: asyncio.AbstractEventLoop, assignment: Assignment, line: socket.socket) -> None:
        self._loop = loop
        self._draining = self._is_orphan = self._is_ending = self._is_detached = False
        self._last_reported: str | None = None  # what was open at the last report to the supervisor
        self._parent = os.getppid()
        self._logbook = LogSwitch(assignment.access_log)
        line_format = line_of(assignment.access_log)
        clients = assignment.clients
        clients.begin(assignment.slot)
        self._engine = Engine(loop, assignment.snapshot, self._logbook.log, line_format, assignment.row, clients)
        self._watch = assignment.registry.watch
        self._report = InstanceStats(assignment.registry, assignment.page)
        self._deployed = DeployedReport(assignment.registry, assignment.deployed_page)
        self._failures = InstanceFailures(assignment.said)
        assignment.registry.observe(self._failures)
        self._listeners = WorkerListeners(self._engine, assignment.contexts)
        self._channel = Channel(loop, line, self._orphaned, self._heard)
        self._held = self._engine.held = assignment.contexts.held
        self._held.on_miss = partial(self._channel.say, Verb.MISSING)
        assignment.registry.on_wake_asked(lambda *name: self._channel.say(Verb.WANTED, " ".join(name)))
        live = LiveParts(
            engine=self._engine,
            registry=assignment.registry,
            contexts=assignment.contexts,
            sources=assignment.sources,
            listeners=self._listeners,
            logbook=self._logbook,
        )
        self._changing = WorkerReload(loop, self._channel.say, live)

    def start(self, listeners: Sequence[ListeningSocket]) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, self._terminated)
        self._loop.add_signal_handler(signal.SIGUSR1, self._logbook.reopen)
        self._engine.watch(self._watch)
        for listener in listeners:
            self._listeners.serve(listener)
        calm_garbage_collector()
        # Not before the loop runs: uvloop misses a signal that came earlier.
        unblocked = (signal.SIGTERM, signal.SIGUSR1)
        self._loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, unblocked)
        self._loop.call_soon(self._channel.say_ready)
        every(self._loop, EVERY, self._write_report)
        every(self._loop, EVERY_DEPLOYED, self._write_deployed)
        self._changing.refresh_certificates()  # for a successor of a dead worker, the parent's may be outdated

    def close(self) -> None:
        self._engine.close()
        self._logbook.close()
        self._channel.close()

    def _write_report(self) -> None:
        if not self._is_detached:
            self._report.write(time.monotonic())
            self._failures.look()

    def _write_deployed(self) -> None:
        if not self._is_detached:
            self._deployed.write()

    def _heard(self, message: Message) -> None:
        if message.verb is Verb.STOP:
            self._loop.stop()
        elif message.verb is Verb.FINISH:
            self._finish()
        elif self._draining:
            message.drop()  # no new work here
        elif message.verb is Verb.RETIRE:
            self._retire(accepting=bool(message.rest))
        elif message.verb is Verb.DENIED:
            self._held.deny(message.rest, time.monotonic())
        elif message.verb is Verb.MISSING:
            self._held.ask_again()
        else:
            self._changing.heard(message)

    def _terminated(self) -> None:
        if not self._draining:
            self._drain()
        elif self._is_orphan:
            self._loop.stop()

    def _orphaned(self) -> None:
        self._is_orphan = True
        if os.getppid() == self._parent:
            log.error("the line to the supervisor has ended although the supervisor lives: draining")
            self._detach()
        else:
            log.error("the supervisor is gone: draining")
        if not self._draining:
            self._drain()
        self._loop.call_later(self._engine.snapshot.drain, self._finish)

    def _detach(self) -> None:
        """Another worker replaces this one: it stops using what they would share."""
        self._is_detached = True
        self._engine.detach()

    def _retire(self, *, accepting: bool) -> None:
        """Others serve the same sockets: waiting connections are theirs, and clients are not hurried.

        With `accepting`, that may not hold for every socket: a reload has also changed the addresses.
        """
        if accepting:
            self._engine.stop_listening()
        self._engine.step_aside()
        self._listeners.close()
        self._watch_the_end()

    def _drain(self) -> None:
        self._draining = True
        self._engine.drain()
        self._listeners.close()
        self._watch_the_end()

    def _finish(self) -> None:
        """The time to drain, or to retire, is over: close what is open, and end when that is delivered, or soon."""
        if not self._is_ending:
            self._is_ending = True
            self._engine.cut()
            self._loop.call_later(ENDING, self._loop.stop)

    def _watch_the_end(self) -> None:
        if self._last_reported is None:  # a retiring worker may still be told to drain
            self._last_reported = ""
            every(self._loop, _TELL, self._tell_what_is_open)
            every(self._loop, _LOOK, self._look_if_drained)

    def _tell_what_is_open(self) -> None:
        text = dump(self._engine.remaining())
        if text != self._last_reported:
            self._last_reported = text
            self._channel.say(Verb.OPEN, text)

    def _look_if_drained(self) -> None:
        if not self._engine.open_connections:
            self._loop.stop()
