"""Makes a service from a configuration: everything that processes inherit is created here, once, before the first fork.

That is: sockets, so that they outlive workers; TLS contexts, so that a session ticket of one worker works on another;
counters and board, which are shared memory. A step that fails needs no undoing: the process ends, and nothing has been
forked yet.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Collection, Mapping, MutableMapping
from pathlib import Path

from setproctitle import setproctitle

from lb.admin.views import Status, describe
from lb.apps.service.reload_question import ask_of_a_reload
from lb.config.engine import refused_change
from lb.config.plan import Plan
from lb.control.api.operations import Operations
from lb.control.api.systemd import Notifier
from lb.control.ending import Ending, EndingTimes, add_ending
from lb.control.reload.generation import (
    Generation,
    SharedState,
    addresses_of,
    admin_addresses_of,
    compile_first,
    try_access_log,
)
from lb.control.reload.next_generation import BuiltGeneration
from lb.control.reload.steps import Reading
from lb.control.supervisor import Stopping, Supervisor
from lb.control.upgrade import counters
from lb.control.upgrade.boot_context import BootContext, find_origin, release_admin
from lb.control.upgrade.handover import Handover
from lb.control.upgrade.health import write_down
from lb.health.dns import look_up_first, look_up_new
from lb.process.child import Role
from lb.process.child_config import present, sources_of
from lb.process.memfd import new_memory, wrap_bytes
from lb.process.scoreboard import MOST_SLOTS, Board
from lb.process.start_error import StartError
from lb.routing.clients import Clients
from lb.routing.health_rows import rows_needed
from lb.routing.health_table import HealthTable
from lb.sockets.bind import BoundAddress, bind_all
from lb.telemetry.counters import Slab
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.failure_notices import FailureNotices
from lb.telemetry.instance_gauges import InstanceGauges
from lb.telemetry.metrics import restart_cell
from lb.tls.handshake.contexts import Contexts

Source = Callable[[Contexts], Plan]
"""Reads the configuration again, and its certificates. Raises ConfigErrors."""

# Room for instances that reloads may add: rows of the health table, and metrics.
_FEWEST_ROWS = 4096
_FEWEST_INSTANCES = 1024


class Service:
    """A service that is ready to run."""

    def __init__(self, ground: SharedState, edition: Generation, origin: BootContext) -> None:
        self._ground = ground
        self._edition = edition
        self._origin = origin
        self._source: Source | None = None
        self._ending = Ending(self._limits)

    @property
    def info(self) -> Mapping[str, str]:
        """The build, as shown by metrics and status."""
        return self._ground.info

    @property
    def board(self) -> Board:
        return self._ground.board

    @property
    def plan(self) -> Plan:
        """The configuration in effect, and what follows from it."""
        return self._edition.plan

    @property
    def bound(self) -> tuple[BoundAddress, ...]:
        """Where apps are served."""
        return self._edition.bound

    @property
    def admin(self) -> tuple[BoundAddress, ...]:
        return self._edition.admin

    def run(self, announce_ready: Callable[[], None], stopping: Stopping, source: Source | None = None) -> int:
        """Starts the processes and waits until they have ended; returns the exit status. A reload reads `source`."""
        self._source = source
        setproctitle("lb: supervisor")
        gc.collect()
        gc.freeze()  # children share these pages permanently: their collectors never write to them
        roles = self._edition.roles(self._ground)
        notifier = Notifier(os.environ)
        operations = Operations(self._describe, self._bequeath, self._origin)
        return Supervisor(
            roles,
            self.board,
            announce_ready,
            stopping,
            notifier,
            operations,
            plans=self,
            ending=self._ending,
            replaced=self._count_restart,
        ).run()

    def _count_restart(self, role: Role) -> None:
        self._ground.slab.count(restart_cell(role.place.kind))

    def _limits(self) -> EndingTimes:
        timeouts = self.plan.config.timeouts
        return EndingTimes(timeouts.drain, timeouts.retire)

    def _describe(self) -> Status:
        ground = self._ground
        told = self._edition.urls, self.plan, ground.table, ground.loads
        status = describe(self.info, self.board, *told, figures=ground.deployed)
        file = self._origin.file
        named = {} if file is None else {"file": os.path.abspath(file)}  # noqa: PTH100  `absolute` leaves ".." in it
        return {**add_ending(status, self._ending, time.monotonic()), **named}

    def _bequeath(self) -> Handover:
        listening, admin = (
            tuple((one.scheme, sock) for one in bound for sock in one.sockets) for bound in (self.bound, self.admin)
        )
        health = wrap_bytes(write_down(self._ground.table))
        text, slabs = counters.write_down(self._ground.slab)
        return Handover(listening, admin, self._ground.contexts.tickets.bequest(), health, wrap_bytes(text), slabs)

    # For reloads (lb.control.reload.steps.Plans)

    def read(self) -> Reading:
        if self._source is None:
            raise StartError("there is no configuration file to reload")
        plan = self._source(self._ground.contexts)
        if reason := self._engine_refuses(plan):
            raise StartError(reason)
        return Reading(plan, look_up_new(self._ground.table, plan.health.watched))

    def _engine_refuses(self, plan: Plan) -> str:
        """Why the engine that runs for the file, if one does, would not follow. One that was restarted meanwhile goes
        by the file already, so it is asked.
        """
        file = self._origin.file
        if file is None or not refused_change(self.plan.config.engine, plan.config.engine):
            return ""
        return str(ask_of_a_reload(file, os.environ).get("refused", ""))

    def next_change(self, reading: Reading, busy: Collection[int]) -> BuiltGeneration:
        workers = workers_of(reading.plan.config.workers)
        return BuiltGeneration(self._ground, self._edition, reading, workers, busy, self._adopt)

    def read_certificates(self) -> None:
        contexts = self._ground.contexts
        contexts.switch(contexts.refresh(self._edition.sources()))

    def worker_gone(self, slot: int) -> None:
        self._ground.slab.row(slot).load()  # its gauges end with it

    def release_unused(self) -> None:
        self._ground.table.keep({key for one in self.plan.health.watched for key in one.rows})

    def _adopt(self, edition: Generation) -> None:
        self._edition = edition


def prepare(
    plan: Plan,
    info: Mapping[str, str],
    environ: MutableMapping[str, str],
    file: Path | None = None,
    contexts: Contexts | None = None,
) -> Service:
    """Makes everything that the service needs. Listening sockets that `environ` names are taken over; commands about
    the configuration `file`, if there is one, are accepted from now on. `contexts` may hold certificates already.

    Raises StartError, or TlsError for unusable certificates.
    """
    origin = find_origin(file, environ)
    try:
        service = _prepare(plan, info, origin, contexts or Contexts())
    except BaseException:
        origin.give_up()
        raise
    origin.complete()
    return service


def _prepare(plan: Plan, info: Mapping[str, str], origin: BootContext, contexts: Contexts) -> Service:
    config = plan.config
    try_access_log(config.access_log)
    workers = workers_of(config.workers)
    if origin.succession is not None:
        contexts.tickets.inherit(origin.succession.tickets)
    sources = sources_of(contexts, plan.tls)
    contexts.switch(present(contexts, plan.tls, sources))
    bound = bind_all(addresses_of(config.listen), workers, origin.listening)
    if config.admin is not None and origin.succession is None:
        release_admin(origin.file, os.environ)
    admin = bind_all(admin_addresses_of(config.admin), 1, origin.admin)
    table = HealthTable(max(_FEWEST_ROWS, 2 * rows_needed(plan.health.watched)))
    known = origin.succession.health if origin.succession is not None else {}
    earlier = origin.succession.earlier if origin.succession is not None else None
    slab = Slab(MOST_SLOTS, new_memory("lb counters"), earlier)
    loads = InstanceGauges(MOST_SLOTS, max(_FEWEST_INSTANCES, 2 * len(plan.instance_names)), new_memory("lb loads"))
    snapshot, registry = compile_first(plan, table, bound, workers, look_up_first, known)
    records = max(_FEWEST_INSTANCES, 2 * rows_needed(plan.health.deployed))
    deployed = DeployedFigures(MOST_SLOTS, records, new_memory("lb deployed"))
    ground = SharedState(
        info, contexts, table, slab, loads, deployed, FailureNotices(), Clients(), Board(workers), origin.file
    )
    return Service(ground, Generation(plan, bound, admin, tuple(range(workers)), snapshot, registry, sources), origin)


def workers_of(wanted: int | None) -> int:
    """The number of workers for this setting; None stands for as many as cores."""
    return wanted or available_cores()


def available_cores() -> int:
    """The cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
