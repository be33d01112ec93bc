"""A worker: one process with an event loop that serves what it inherited, drains when it is told to, and goes.

It knows signals, the channel to the supervisor and the engine's few methods; it does not know HTTP. Life: serving →
draining (the first SIGTERM, or the supervisor's death) → gone. A second SIGTERM skips what is left of draining.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lb.config.model import AccessLog as AccessLogSettings
from lb.config.model import CertificateFiles
from lb.proxy.client import ClientListener
from lb.proxy.engine import Engine
from lb.routing.members import Watch
from lb.routing.snapshot import Snapshot
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Row
from lb.telemetry.lines import combined_line, json_line
from lb.telemetry.record import LineFormat
from lb.tls.contexts import Contexts
from lb.tls.presented import Presented
from lb.worker.channel import Channel, Message
from lb.worker.loop import new_loop
from lb.worker.tuning import calm_garbage_collector, raise_descriptor_limit

log = logging.getLogger("lb.worker")

_LINES: dict[str, LineFormat | None] = {"json": json_line, "combined": combined_line, "off": None}
_LOOK = 0.02  # seconds between two looks at whether a drain is over
_LOG_PATIENCE = 2.0  # seconds that the last access-log lines get to be written


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket of this worker; `scheme` is b"http" or b"https"."""

    scheme: bytes
    socket: socket.socket


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that a worker inherits; everything in it was made before the fork. `certificates` says which files there are
    for `contexts`.
    """

    snapshot: Snapshot
    watch: Watch
    listeners: tuple[Listener, ...]
    contexts: Contexts | None
    certificates: Callable[[], Sequence[CertificateFiles]]
    access_log: AccessLogSettings
    row: Row


def run_worker(assignment: Assignment, line: socket.socket) -> int:
    """Serves until told to end; returns the exit status 0. `line` is this end of the channel to the supervisor.

    Expects SIGTERM and SIGUSR1 blocked, and unblocks them when it can act on them.
    """
    raise_descriptor_limit()
    loop = new_loop()
    worker = _Worker(loop, assignment, line)
    try:
        worker.start()
        loop.run_forever()
    finally:
        worker.close()
        loop.close()
    return 0


class _Worker:
    def __init__(self, loop: asyncio.AbstractEventLoop, assignment: Assignment, line: socket.socket) -> None:
        self._loop = loop
        self._assignment = assignment
        self._draining = False
        self._access_log = AccessLog(assignment.access_log.path, assignment.access_log.format)
        log_format = _LINES[assignment.access_log.format]
        self._engine = Engine(loop, assignment.snapshot, self._access_log, log_format, assignment.row)
        self._channel = Channel(loop, line, self._orphaned, self._told)
        self._refreshing = False
        self._refresh_again = False

    def start(self) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, self._terminated)
        self._loop.add_signal_handler(signal.SIGUSR1, self._access_log.reopen)
        self._engine.watch(self._assignment.watch)
        for listener in self._assignment.listeners:
            contexts = self._assignment.contexts if listener.scheme == b"https" else None
            self._engine.listen(ClientListener(self._engine, listener.scheme, contexts), listener.socket)
        calm_garbage_collector()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGUSR1))
        self._channel.say_ready()
        self._refresh_certificates()  # what the parent had at its start may be old for one that takes another's place

    def _told(self, message: Message) -> None:
        if message.verb == "certificates":
            self._refresh_certificates()
        message.drop()

    def _refresh_certificates(self) -> None:
        """Reads the certificates' files in a thread; new handshakes then present what is new."""
        if self._assignment.contexts is None:
            return
        self._refresh_again = self._refreshing
        if not self._refreshing:
            self._refreshing = True
            self._loop.run_in_executor(None, self._read_certificates).add_done_callback(self._refreshed)

    def _read_certificates(self) -> Presented | None:
        contexts = self._assignment.contexts
        return None if contexts is None else contexts.refresh(self._assignment.certificates())

    def _refreshed(self, done: asyncio.Future[Presented | None]) -> None:
        self._refreshing = False
        presented, contexts = done.result(), self._assignment.contexts
        if presented is not None and contexts is not None:
            contexts.switch(presented)
        if self._refresh_again:
            self._refresh_certificates()

    def close(self) -> None:
        self._engine.close()
        self._access_log.close(_LOG_PATIENCE)
        self._channel.close()

    def _terminated(self) -> None:
        if self._draining:
            self._loop.stop()
        else:
            self._drain()

    def _orphaned(self) -> None:
        log.error("the supervisor is gone: draining")
        if not self._draining:
            self._drain()

    def _drain(self) -> None:
        self._draining = True
        self._engine.drain()
        for listener in self._assignment.listeners:
            listener.socket.close()
        self._look_if_drained()

    def _look_if_drained(self) -> None:
        if self._engine.open_connections:
            self._loop.call_later(_LOOK, self._look_if_drained)
        else:
            self._loop.stop()
