"""One configuration, ready to be served: its sockets, the initial state of workers, and the places to fill.

An edition is complete before any of it is used, at the start of the service and at every reload. What outlives editions
(contexts, counters, board) is in `SharedState`.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType

from lb.certificates.watch_process import run_upkeep
from lb.config.model import AccessLogSettings, CertificateFiles, Listen, ListenAddress
from lb.config.names import is_local
from lb.config.plan import ConfiguredInstance, Plan
from lb.health.dns import unfound
from lb.health.process import HealthAssignment, run_health
from lb.process.child import Role, RolePlace
from lb.process.child_config import ChildConfig, compile_for_worker, inode
from lb.process.scoreboard import Board
from lb.process.start_error import StartError
from lb.routing.clients import Clients
from lb.routing.health_rows import give_rows
from lb.routing.health_table import Condition, HealthTable, TableFullError
from lb.routing.registry import Registry
from lb.routing.snapshot import Snapshot
from lb.sockets.bind import BoundAddress
from lb.sockets.keep_alive import look_after_clients
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.failure_notices import FailureNotices
from lb.telemetry.instance_gauges import InstanceGauges
from lb.telemetry.process_kind import ProcessKind
from lb.tls.acme.preflight import Endpoint
from lb.tls.acme.store import Store, StoreWatch
from lb.tls.files.sources import LocalSource, Sources
from lb.tls.files.watcher import CertificateWatcher
from lb.tls.handshake.contexts import Contexts
from lb.worker.listening import ListeningSocket
from lb.worker.main import Assignment, run_worker


@dataclass(frozen=True, slots=True)
class SharedState:
    """What is created once, before the first fork; `info` describes the build for metrics and status, `file` is the
    configuration's, if there is one.
    """

    info: Mapping[str, str]
    contexts: Contexts
    table: HealthTable
    slab: Slab
    loads: InstanceGauges
    deployed: DeployedFigures
    said: FailureNotices
    clients: Clients
    board: Board
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """`slots` are the workers' places on the board, in the order in which they share the sockets; `left` are sockets
    of the previous edition that this one no longer has; `urls` are where apps are served.
    """

    plan: Plan
    bound: tuple[BoundAddress, ...]
    admin: tuple[BoundAddress, ...]
    slots: tuple[int, ...]
    snapshot: Snapshot
    registry: Registry
    sources: Sources
    left: tuple[socket.socket, ...] = ()
    urls: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        # Stored, because the sockets may be closed later: while draining, and in children.
        object.__setattr__(self, "urls", tuple(one.url for one in self.bound))
        for one in self.bound:
            for sock in one.sockets:
                look_after_clients(sock, self.plan.config.timeouts.read)

    def roles(self, ground: SharedState) -> list[Role]:
        """The places of this edition."""
        roles = [self._worker(ground, number) for number in range(len(self.slots))]
        if self.admin:
            roles.append(self._admin(ground))
        if self.plan.tls.serves_https:
            roles.append(self._certificates(ground))
        if self.plan.health.watched:
            run = partial(
                run_health, HealthAssignment(self.plan.health, ground.table, ground.file, ground.board, ground.deployed)
            )
            roles.append(Role("health", run, (), None, RolePlace(ProcessKind.HEALTH), self._revision("health", ())))
        return roles

    def _worker(self, ground: SharedState, number: int) -> Role:
        workers = len(self.slots)
        listeners = tuple(
            ListeningSocket(one.scheme.encode(), sock) for one in self.bound for sock in one.sockets[number::workers]
        )
        slot = self.slots[number]
        assignment = Assignment(
            snapshot=self.snapshot,
            registry=self.registry,
            listeners=listeners,
            contexts=ground.contexts,
            sources=self.sources,
            access_log=self.plan.config.access_log,
            row=ground.slab.row(slot),
            page=ground.loads.page(slot),
            deployed_page=ground.deployed.page(slot),
            said=ground.said,
            clients=ground.clients,
            slot=slot,
        )
        title = f"worker {number + 1}/{workers}"
        revision = self._revision(title, [(one.scheme, one.socket) for one in listeners])
        sockets = tuple(listener.socket for listener in listeners)
        return Role(
            title, partial(run_worker, assignment), sockets, slot, RolePlace(ProcessKind.WORKER, number), revision
        )

    def _admin(self, ground: SharedState) -> Role:
        sockets = tuple(sock for one in self.admin for sock in one.sockets)

        def run(line: socket.socket) -> int:
            from lb.admin.server import AdminAssignment, run_admin  # noqa: PLC0415  no other process has aiohttp

            seen = (
                ground.slab,
                ground.loads,
                ground.deployed,
                ground.board,
                ground.table,
                ground.info,
                ground.contexts.presented.shelf,
            )
            return run_admin(AdminAssignment(self.plan, self.urls, sockets, *seen), line)

        revision = self._revision("admin", [(b"http", sock) for sock in sockets])
        return Role("admin", run, sockets, None, RolePlace(ProcessKind.ADMIN), revision)

    def _certificates(self, ground: SharedState) -> Role:
        """The process that watches certificates, and obtains them if configured. It is replaced when its settings
        change.
        """
        plan, tls = self.plan.tls, self.plan.tls.settings
        shelf = ground.contexts.presented.shelf
        http, https = (
            tuple(Endpoint(*one.sockets[0].getsockname()[:2]) for one in self.bound if one.scheme == scheme)
            for scheme in ("http", "https")
        )

        def run(line: socket.socket) -> int:
            local = LocalSource(plan, shelf)

            def files() -> tuple[CertificateFiles, ...]:
                return *tls.certificates, *local.files()

            if tls.acme is None:
                return run_upkeep(
                    CertificateWatcher(ground.contexts, files, StoreWatch(Store(tls.store)).changed),
                    line,
                    local.demanded,
                )
            from lb.certificates.process import CertificatesAssignment, run_certificates  # noqa: PLC0415  as above

            upkeep = CertificateWatcher(ground.contexts, files)
            assignment = CertificatesAssignment(plan, http, https, upkeep, local.demanded, shelf)
            return run_certificates(assignment, line)

        names = plan.names if tls.acme is not None else frozenset(filter(is_local, plan.names))
        return Role("certificates", run, (), None, RolePlace(ProcessKind.CERTIFICATES), None, (tls, http, https, names))

    def _revision(self, title: str, listeners: Sequence[tuple[bytes, socket.socket]]) -> ChildConfig:
        served = tuple((scheme, inode(sock)) for scheme, sock in listeners)
        left = frozenset(map(inode, self.left))
        return ChildConfig(title, https_port(self.bound), len(self.slots), served, left, self.urls)


GiveAddresses = Callable[[HealthTable, Sequence[ConfiguredInstance]], None]


def compile_first(
    plan: Plan,
    table: HealthTable,
    bound: Sequence[BoundAddress],
    workers: int,
    give_addresses: GiveAddresses,
    known: Mapping[bytes, Condition] = MappingProxyType({}),
) -> tuple[Snapshot, Registry]:
    """The state that every new worker inherits by fork. `give_addresses` writes the addresses of new names to the
    table, `known` is what a predecessor knew about instances.

    Raises StartError if no instance has an address, or there are too many.
    """
    _find_instances(plan, table, give_addresses, known)
    registry = Registry(table)
    snapshot, registry_plan = compile_for_worker(plan, registry, https_port(bound), workers)
    registry_plan.commit()
    return snapshot, registry


def _find_instances(
    plan: Plan, table: HealthTable, give_addresses: GiveAddresses, known: Mapping[bytes, Condition]
) -> None:
    """Assigns rows to instances, and addresses to those configured by name. A single name that is not found does not
    stop the others from serving; if no name is found, that is an error to report at once.
    """
    watched = plan.health.watched
    try:
        give_rows(table, watched, time.time(), known)
    except TableFullError as error:
        raise StartError(f"the file has more instances than a reload can add ({error}): restart lb") from error
    give_addresses(table, watched)
    lost = unfound(table, watched)
    if lost and len(lost) == sum(len(one.instances) for one in plan.environments):
        raise StartError(f"no instance has an address: {'; '.join(lost)}")


def https_port(bound: Sequence[BoundAddress]) -> int | None:
    """The port for redirects to HTTPS; None without HTTPS."""
    return next((one.port for one in bound if one.scheme == "https"), None)


def addresses_of(listen: Listen) -> list[tuple[str, ListenAddress]]:
    """(scheme, address) of everything that serves apps."""
    return [("http", address) for address in listen.http] + [("https", address) for address in listen.https]


def admin_addresses_of(admin: ListenAddress | None) -> list[tuple[str, ListenAddress]]:
    return [("http", admin)] if admin else []


def try_access_log(settings: AccessLogSettings) -> None:
    """Every worker opens the log itself; a failure is better reported once, here. Raises StartError."""
    try:
        AccessLog(settings.path, settings.format).close(0)
    except OSError as error:
        user = f" (user {os.getuid()})" if isinstance(error, PermissionError) else ""
        raise StartError(f"cannot write the access log {settings.path}: {error.strerror}{user}") from error
