"""A worker: one process with an event loop that serves what it inherited, changes when it is told to, drains and goes.

It knows signals, the channel to the supervisor and the engine's few methods; it does not know HTTP. Life: serving →
draining (SIGTERM, or the supervisor's death) → gone. What is left of draining is skipped at a word of the supervisor's,
not at a second SIGTERM: who sends it to all processes of a service makes two of one. Only an orphan obeys that. Where
others serve the same sockets it retires instead: the same, in no hurry. Meanwhile it tells the supervisor what is still
open, and closes it when it is told that the time for it is over; an orphan goes by the configuration's.
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
from lb.telemetry.instance_gauges import Page
from lb.telemetry.said import Said
from lb.tls.files.sources import Sources
from lb.tls.handshake.contexts import Contexts
from lb.worker.apply import Changing, Live
from lb.worker.failures import InstanceFailures
from lb.worker.instance_stats import EVERY, Report
from lb.worker.listening import ListeningSocket, WorkerListeners
from lb.worker.log_switch import Logbook, line_of
from lb.worker.unraisable import Unraisable

log = logging.getLogger("lb.worker")

_LOOK = 0.02  # seconds between two looks at whether a drain is over
_TELL = 0.5  # and between two at what is still open
ENDING = 1.0
"""Seconds that clients get to take what was still queued for them when the time to drain is over."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that a worker inherits; everything in it was made before the fork. `sources` says which certificates there
    are for `contexts`.
    """

    snapshot: Snapshot
    registry: Registry
    listeners: tuple[ListeningSocket, ...]
    contexts: Contexts
    sources: Sources
    access_log: AccessLogSettings
    row: CounterRow
    page: Page
    said: Said
    clients: Clients
    slot: int


def run_worker(assignment: Assignment, line: socket.socket) -> int:
    """Serves until told to end; returns the exit status 0. `line` is this end of the channel to the supervisor.

    Expects SIGTERM and SIGUSR1 blocked, and unblocks them when it can act on them.
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
        self._told: str | None = None  # what was open when the supervisor was told of it last
        self._parent = os.getppid()
        self._logbook = Logbook(assignment.access_log)
        line_format = line_of(assignment.access_log)
        clients = assignment.clients
        clients.presence.begin(assignment.slot)
        self._engine = Engine(loop, assignment.snapshot, self._logbook.log, line_format, assignment.row, clients)
        self._watch = assignment.registry.watch
        self._report = Report(assignment.registry, assignment.page)
        self._failures = InstanceFailures(assignment.said)
        assignment.registry.observe(self._failures)
        self._listeners = WorkerListeners(self._engine, assignment.contexts)
        self._channel = Channel(loop, line, self._orphaned, self._heard)
        self._held = self._engine.held = assignment.contexts.held
        self._held.on_miss = partial(self._channel.say, Verb.MISSING)
        live = Live(
            engine=self._engine,
            registry=assignment.registry,
            contexts=assignment.contexts,
            sources=assignment.sources,
            listeners=self._listeners,
            logbook=self._logbook,
        )
        self._changing = Changing(loop, self._channel.say, live)

    def start(self, listeners: Sequence[ListeningSocket]) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, self._terminated)
        self._loop.add_signal_handler(signal.SIGUSR1, self._logbook.reopen)
        self._engine.watch(self._watch)
        for listener in listeners:
            self._listeners.serve(listener)
        calm_garbage_collector()
        # Only once the loop runs: uvloop does not hear of a signal that came before.
        unblocked = (signal.SIGTERM, signal.SIGUSR1)
        self._loop.call_soon(signal.pthread_sigmask, signal.SIG_UNBLOCK, unblocked)
        self._loop.call_soon(self._channel.say_ready)
        every(self._loop, EVERY, self._write_report)
        self._changing.refresh_certificates()  # what the parent had at its start may be old for a successor

    def close(self) -> None:
        self._engine.close()
        self._logbook.close()
        self._channel.close()

    def _write_report(self) -> None:
        if not self._is_detached:
            self._report.write(time.monotonic())
            self._failures.look()

    def _heard(self, message: Message) -> None:
        if message.verb is Verb.STOP:
            self._loop.stop()
        elif message.verb is Verb.FINISH:
            self._finish()
        elif self._draining:
            message.drop()  # nothing begins here any more
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
            log.error("the line to the supervisor has ended, though the supervisor lives: draining")
            self._detach()
        else:
            log.error("the supervisor is gone: draining")
        if not self._draining:
            self._drain()
        self._loop.call_later(self._engine.snapshot.drain, self._finish)

    def _detach(self) -> None:
        """Another worker is started in this one's place: what they would share is its own from now on."""
        self._is_detached = True
        self._engine.detach()

    def _retire(self, *, accepting: bool) -> None:
        """Others serve the same sockets: what waits there is theirs, and nobody needs to be hurried.

        If `accepting`, that may not be so for all of them: a reload has also changed the addresses.
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
        """The time to drain, or to retire, is over: close what is open, and end when that has arrived, or soon."""
        if not self._is_ending:
            self._is_ending = True
            self._engine.cut()
            self._loop.call_later(ENDING, self._loop.stop)

    def _watch_the_end(self) -> None:
        if self._told is None:  # a worker that retires may still be told to drain
            self._told = ""
            every(self._loop, _TELL, self._tell_what_is_open)
            every(self._loop, _LOOK, self._look_if_drained)

    def _tell_what_is_open(self) -> None:
        text = dump(self._engine.remaining())
        if text != self._told:
            self._told = text
            self._channel.say(Verb.OPEN, text)

    def _look_if_drained(self) -> None:
        if not self._engine.open_connections:
            self._loop.stop()
