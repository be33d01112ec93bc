"""Applies a changed configuration in a worker: prepared in the background, made live at the switch.

Prepared are the snapshot, the registry's plan, certificates, the access log and new sockets. The switch is a handful of
assignments between two events of the loop, so that no request sees half of it. Open requests, tunnels and connections
keep the configuration that they started with; instances that stay keep their pools and their state.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from setproctitle import setproctitle

from lb.config.model import AccessLogSettings
from lb.config.plan import Plan
from lb.process.channel import Message
from lb.process.child_config import ChildConfig, compile_for_worker, inode, present, sources_of
from lb.process.reload_participant import BackgroundThread, ReloadParticipant
from lb.process.verbs import Verb
from lb.proxy.engine import Engine
from lb.routing.registry import Registry, RegistryPlan
from lb.routing.snapshot import Snapshot
from lb.telemetry.access_log import AccessLog
from lb.tls.files.sources import Sources
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import Presented
from lb.worker.listening import WorkerListeners
from lb.worker.log_switch import LogSwitch, line_of, open_log

log = logging.getLogger("lb.worker")

_UNREAD = 3.0  # seconds until unreadable certificates are read again


@dataclass(frozen=True, slots=True)
class PreparedGeneration:
    """Everything that the switch needs; `log` is None if the access log does not change."""

    revision: ChildConfig
    snapshot: Snapshot
    registry_plan: RegistryPlan
    sources: Sources
    presented: Presented
    refreshes: int
    access_log: AccessLogSettings
    log: AccessLog | None
    sockets: dict[int, socket.socket]

    def drop(self) -> None:
        for sock in self.sockets.values():
            sock.close()
        if self.log is not None:
            self.log.close(0)


@dataclass(slots=True)
class LiveParts:
    """The parts of a worker that a change affects; `sources` tells which certificates exist."""

    engine: Engine
    registry: Registry
    contexts: Contexts
    sources: Sources
    listeners: WorkerListeners
    logbook: LogSwitch


class WorkerReload:
    """The changes of one worker: of its configuration, and of certificates replaced on disk."""

    def __init__(self, loop: asyncio.AbstractEventLoop, say: Callable[[Verb, str], None], live: LiveParts) -> None:
        self._loop = loop
        self._live = live
        self._refreshes = 0
        self._refresh_waits = False
        self._background = BackgroundThread(loop)
        self._changes = ReloadParticipant(self._background, say, self._prepare, self._switch)

    def heard(self, message: Message) -> None:
        """Handles a message of the supervisor."""
        if message.verb is Verb.CERTIFICATES:
            self.refresh_certificates()
        else:
            self._changes.heard(message)

    def refresh_certificates(self) -> None:
        """Read the certificate files, so that new handshakes present the new ones. All calls during a read lead to one
        more: when thousands are obtained, the calls come one after another.
        """
        self._refreshes += 1
        if not self._refresh_waits:
            self._refresh_waits = True
            self._background.run(self._read_certificates)

    def _not_read(self) -> None:
        """The presented certificates stay; the files may be readable in a moment."""
        self._loop.call_later(_UNREAD, self.refresh_certificates)

    # In the thread

    def _prepare(self, plan: Plan, revision: ChildConfig, sockets: Sequence[socket.socket]) -> PreparedGeneration:
        """Raises OSError for a log that is not writable, TlsError for unusable certificates."""
        refreshes = self._refreshes
        sources = sources_of(self._live.contexts, plan.tls)
        presented = present(self._live.contexts, plan.tls, sources)
        snapshot, registry_plan = compile_for_worker(plan, self._live.registry, revision.https_port, revision.workers)
        new = {inode(sock): sock for sock in sockets}
        for sock in sockets:
            if new[inode(sock)] is not sock:  # several descriptors of one socket, if slots share a queue
                sock.close()
        known = self._live.listeners
        if any(number not in new and number not in known for _, number in revision.listeners):
            raise OSError("a listening socket did not reach this process")
        settings = plan.config.access_log
        log = None if settings == self._live.logbook.settings else open_log(settings)
        return PreparedGeneration(revision, snapshot, registry_plan, sources, presented, refreshes, settings, log, new)

    def _read_certificates(self) -> Callable[[], None]:
        self._refresh_waits = False  # files written from here on are read by the next refresh
        try:
            presented = self._live.contexts.refresh(self._live.sources())
        except Exception as error:
            if isinstance(error, OSError):
                log.error("certificates cannot be read: %s; they are read again in %.0f s", error, _UNREAD)  # noqa: TRY400
            else:
                log.exception("certificates could not be read; they are read again in %.0f s", _UNREAD)
            return self._not_read
        return lambda: self._live.contexts.switch(presented)

    # On the loop

    def _switch(self, prepared: PreparedGeneration) -> None:
        revision, live = prepared.revision, self._live
        live.contexts.switch(prepared.presented)
        live.sources = prepared.sources
        gone = prepared.registry_plan.commit()
        live.engine.switch(prepared.snapshot)
        live.engine.retire(gone.instances)
        for environment in (*live.registry.environments.values(), *gone.environments):
            live.engine.queue.rouse(environment)
        live.listeners.change(revision, prepared.sockets)
        if prepared.log is not None:
            live.engine.log_to(prepared.log, line_of(prepared.access_log))
            live.logbook.change(prepared.access_log, prepared.log, live.engine.lines_lost)
        setproctitle(f"lb: {revision.title}")
        if prepared.refreshes != self._refreshes:  # the prepared certificates may be outdated by now
            self.refresh_certificates()
