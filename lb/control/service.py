"""A configuration becomes a service: everything that processes inherit is made here, once, before the first fork.

Made before: sockets, so that they outlive workers; TLS contexts, so that a session ticket of one worker resumes on
another; counters and board, which are shared memory. A step that fails undoes the steps before it by ending the
process: nothing has been forked yet.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from setproctitle import setproctitle

from lb.config.model import Config, ListenAddress
from lb.control.activation import from_systemd
from lb.control.board import Board
from lb.control.child import Role
from lb.control.errors import StartError
from lb.control.health.main import HealthAssignment, run_health
from lb.control.health.names import look_up_first, unfound
from lb.control.notify import Notifier
from lb.control.operations import Operations
from lb.control.rendezvous import Meeting, open_meeting
from lb.control.sockets import Bound, bind_all
from lb.control.status import Status, describe
from lb.control.supervisor import Stopping, Supervisor
from lb.control.upkeep import run_upkeep
from lb.routing.compile import compile_snapshot
from lb.routing.health import HealthTable
from lb.routing.members import Watch
from lb.routing.registry import Registry
from lb.routing.snapshot import Snapshot
from lb.routing.watched import give_rows, rows_needed, watched
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab
from lb.tls.acme.reach import Endpoint
from lb.tls.challenges import Challenges
from lb.tls.contexts import Contexts
from lb.tls.sources import certificate_files, challenge_directories
from lb.tls.upkeep import Upkeep
from lb.worker.main import Assignment, Listener, run_worker

log = logging.getLogger("lb.control")

_FEWEST_ROWS = 4096  # of the health table: room for the instances that reloads may bring


@dataclass(frozen=True, slots=True)
class Service:
    """All that was made for a configuration; `info` describes the build to metrics and status."""

    config: Config
    info: Mapping[str, str]
    bound: tuple[Bound, ...]
    admin: tuple[Bound, ...]
    contexts: Contexts | None
    snapshot: Snapshot
    watch: Watch
    table: HealthTable
    slab: Slab
    board: Board
    meeting: Meeting | None

    def run(self, announce_ready: Callable[[], None], stopping: Stopping) -> int:
        """Starts the processes and stays until they are gone; returns the exit status."""
        setproctitle("lb: supervisor")
        gc.collect()
        gc.freeze()  # children share these pages for good: their collectors never write to them
        notifier = Notifier(os.environ)
        operations = Operations(self.meeting, self._describe) if self.meeting is not None else None
        return Supervisor(self._roles(), self.board, announce_ready, stopping, notifier, operations).run()

    def _listeners(self) -> tuple[str, ...]:
        return tuple(one.url for one in self.bound)

    def _describe(self) -> Status:
        return describe(self.info, self.board, self._listeners(), self.config, self.table)

    def _roles(self) -> list[Role]:
        roles = [self._worker(slot) for slot in range(self.board.slots)]
        if self.admin:
            roles.append(self._assistant())
        if self.contexts is not None:
            roles.append(self._certificates(self.contexts))
        if any(watched(self.config)):
            roles.append(self._health())
        return roles

    def _worker(self, slot: int) -> Role:
        slots = self.board.slots
        listeners = tuple(
            Listener(one.scheme.encode(), sock) for one in self.bound for sock in one.sockets[slot::slots]
        )
        certificates = partial(certificate_files, self.config)
        assignment = Assignment(
            self.snapshot,
            self.watch,
            listeners,
            self.contexts,
            certificates,
            self.config.access_log,
            self.slab.row(slot),
        )
        sockets = tuple(listener.socket for listener in listeners)
        return Role(f"worker {slot + 1}/{slots}", partial(run_worker, assignment), sockets, slot)

    def _assistant(self) -> Role:
        sockets = tuple(sock for one in self.admin for sock in one.sockets)
        listeners = self._listeners()

        def run(line: socket.socket) -> int:
            from lb.control.admin import AdminAssignment, run_admin  # noqa: PLC0415  no other process has aiohttp

            assignment = AdminAssignment(self.config, listeners, sockets, self.slab, self.board, self.table, self.info)
            return run_admin(assignment, line)

        return Role("admin", run, sockets, None)

    def _certificates(self, contexts: Contexts) -> Role:
        """The process that looks after certificates, and obtains them if that is wanted."""
        config = self.config
        http, https = (
            tuple(Endpoint(*one.sockets[0].getsockname()[:2]) for one in self.bound if one.scheme == scheme)
            for scheme in ("http", "https")
        )

        def run(line: socket.socket) -> int:
            upkeep = Upkeep(contexts, lambda: config.tls.certificates)
            if config.tls.acme is None:
                return run_upkeep(upkeep, line)
            from lb.control.certificates import CertificatesAssignment, run_certificates  # noqa: PLC0415  as above

            return run_certificates(CertificatesAssignment(config, http, https, upkeep), line)

        return Role("certificates", run, (), None)

    def _health(self) -> Role:
        return Role("health", partial(run_health, HealthAssignment(self.config, self.table)), (), None)


def prepare(
    config: Config, info: Mapping[str, str], environ: MutableMapping[str, str], file: Path | None = None
) -> Service:
    """Makes all that the service needs. Listening sockets that `environ` tells of are taken over; commands about the
    configuration `file`, if there is one, are taken from now on.

    Raises StartError, or TlsError for certificates that cannot be used.
    """
    meeting = _open_meeting(file, environ) if file is not None else None
    try:
        return _prepare(config, info, environ, meeting)
    except BaseException:
        if meeting is not None:
            meeting.leave()
        raise


def _open_meeting(file: Path, environ: Mapping[str, str]) -> Meeting | None:
    try:
        return open_meeting(file, environ)
    except OSError as error:
        log.warning("there will be no `lb reload` and `lb status`, only signals: no socket for them (%s)", error)
        return None


def _prepare(
    config: Config, info: Mapping[str, str], environ: MutableMapping[str, str], meeting: Meeting | None
) -> Service:
    _try_access_log(config)
    slots = config.workers or available_cores()
    contexts = _contexts(config) if config.listen.https else None
    inherited = from_systemd(environ)
    bound = bind_all(_addresses(config), slots, inherited)
    admin = bind_all([("http", config.admin)], 1, inherited) if config.admin else ()
    inherited.close_unused()
    table = HealthTable(max(_FEWEST_ROWS, 2 * rows_needed(config)))
    registry = Registry(table)
    _find_instances(config, table)
    return Service(
        config=config,
        info=info,
        bound=bound,
        admin=admin,
        contexts=contexts,
        snapshot=_compile(config, registry, bound, slots),
        watch=registry.watch,
        table=table,
        slab=Slab(slots),
        board=Board(slots),
        meeting=meeting,
    )


def _contexts(config: Config) -> Contexts:
    """Files of the configuration must be usable; what is in the store is replaced by itself if it is not."""
    contexts = Contexts(config.tls.certificates)
    contexts.switch(contexts.refresh(certificate_files(config)))
    return contexts


def _addresses(config: Config) -> list[tuple[str, ListenAddress]]:
    listen = config.listen
    return [("http", address) for address in listen.http] + [("https", address) for address in listen.https]


def _compile(config: Config, registry: Registry, bound: tuple[Bound, ...], workers: int) -> Snapshot:
    """The snapshot that every worker begins with; a worker's own state grows in its copy, after the fork."""
    https_port = next((one.port for one in bound if one.scheme == "https"), None)
    answer = Challenges(*challenge_directories(config)).answer
    plan = registry.plan()
    snapshot = compile_snapshot(config, answer, plan, https_port, workers)
    plan.commit()
    return snapshot


def _find_instances(config: Config, table: HealthTable) -> None:
    """Gives instances their rows, and those that are configured by name their addresses. One name that is not found
    does not keep the others from serving; nothing but such names is a mistake that is better said at once.
    """
    give_rows(table, config, time.time())
    look_up_first(table, config)
    lost = unfound(table, config)
    instances = sum(
        len(environment.instances)
        for app in config.apps.values()
        for environment in (app.production, app.staging)
        if environment is not None
    )
    if lost and len(lost) == instances:
        raise StartError(f"no instance has an address: {'; '.join(lost)}")


def _try_access_log(config: Config) -> None:
    """Every worker opens the log for itself; one that cannot be opened is better said once, here."""
    try:
        AccessLog(config.access_log.path, config.access_log.format).close(0)
    except OSError as error:
        raise StartError(f"cannot write the access log {config.access_log.path}: {error.strerror}") from error


def available_cores() -> int:
    """Cores that this process may use: fewer than the machine has where it is confined to some of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
