"""The admin server: metrics and health of the whole service, from a process of its own.

It reads shared memory (the workers' counters, the supervisor's board, the health table) and the certificate store, so a
scrape costs the workers nothing and works while they are busy. Every path is read-only, and `admin/hosts` keeps foreign
websites from reading them. A reload changes it in place, as it does workers: open connections stay open. No process
that serves apps imports aiohttp.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from lb.admin.bounded_server import BoundedServer
from lb.admin.hosts import only_for
from lb.admin.views import describe, state
from lb.certificates.metrics import CertificateMetrics
from lb.config.plan import Plan
from lb.health.deployed_view import deployed_report
from lb.health.view import serving
from lb.process.assistant import AssistantChannel, prepare_assistant
from lb.process.child_config import ChildConfig, inode
from lb.process.reload_participant import BackgroundThread, ReloadParticipant
from lb.process.scoreboard import Board
from lb.process.verbs import Verb
from lb.routing.health_table import HealthTable
from lb.telemetry.counters import Slab
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.instance_gauges import InstanceGauges
from lb.telemetry.prometheus import CONTENT_TYPE, render, render_health, render_loads, render_start
from lb.telemetry.prometheus_deployed import render_deployed
from lb.tls.files.certificate_cache import CertificateCache

PATHS = ("/metrics", "/healthz", "/readyz", "/status")


@dataclass(slots=True)
class AdminAssignment:
    """Everything that the admin process inherits: `listeners` are the URLs that the workers serve, `info` describes
    the build (version, engine, …) in metrics and status, `shelf` holds certificates that were read before. A reload
    changes `plan` and `listeners`.
    """

    plan: Plan
    listeners: tuple[str, ...]
    sockets: tuple[socket.socket, ...]
    slab: Slab
    loads: InstanceGauges
    deployed: DeployedFigures
    board: Board
    table: HealthTable
    info: Mapping[str, str]
    shelf: CertificateCache


def run_admin(assignment: AdminAssignment, line: socket.socket) -> int:
    """Serves until SIGTERM or the supervisor's death; returns the exit status 0."""
    prepare_assistant()
    asyncio.run(_serve(assignment, line))
    return 0


async def _serve(assignment: AdminAssignment, line: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))  # SIGUSR1 stays blocked: no log to reopen
    server = BoundedServer(make_app(assignment))
    await server.setup()
    sites = _Sites(server)

    def say(verb: Verb, rest: str) -> None:
        channel.say(verb, rest)

    def switch(prepared: _Prepared) -> None:
        assignment.plan, assignment.listeners = prepared.plan, prepared.revision.urls
        sites.change(prepared.revision, prepared.sockets)

    changes = ReloadParticipant(BackgroundThread(loop), say, _Prepared, switch)
    channel = AssistantChannel(loop, line, ended.set, changes.heard)
    sites.start(assignment.sockets)
    channel.say_ready()
    await ended.wait()
    await server.close()
    channel.close()


@dataclass(frozen=True, slots=True)
class _Prepared:
    plan: Plan
    revision: ChildConfig
    sockets: Sequence[socket.socket]

    def drop(self) -> None:
        for sock in self.sockets:
            sock.close()


@dataclass(slots=True)
class _Sites:
    """The listening sockets, by inode number."""

    server: BoundedServer
    _open: dict[int, socket.socket] = field(default_factory=dict)

    def start(self, sockets: Iterable[socket.socket]) -> None:
        for sock in sockets:
            self._open[inode(sock)] = sock
            self.server.listen(sock)

    def change(self, revision: ChildConfig, new: Sequence[socket.socket]) -> None:
        """Listen only where the revision says; connections stay open."""
        wanted = {number for _, number in revision.listeners}
        gone = [self._open.pop(number) for number in list(self._open) if number not in wanted]
        self.start(new)
        for sock in gone:
            self.server.leave(sock)


def make_app(assignment: AdminAssignment) -> web.Application:
    """The application without its server."""
    board = assignment.board
    certificates = CertificateMetrics(assignment.shelf)

    async def metrics(_: web.Request) -> web.Response:
        body = render(assignment.slab.total(), assignment.info)
        body += render_start(board.started)
        body += render_health(serving(assignment.plan.health.watched, assignment.table))
        names = assignment.plan.instance_names
        loads = assignment.loads.total(names, [worker.slot for worker in board.workers() if worker.pid])
        body += render_loads(zip(names, loads, strict=False))  # empty until a worker has reported
        deployed = deployed_report(assignment.plan.health.deployed, assignment.table, assignment.deployed)
        body += render_deployed((*name, one) for name, one in deployed.items())
        body += await asyncio.to_thread(certificates.render, assignment.plan.tls)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # this process ends with its supervisor, so the response is the proof

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(status=200 if board.ready() else 503, text=f"{state(board)}\n")

    async def status(_: web.Request) -> web.Response:
        return web.json_response(
            describe(
                assignment.info,
                board,
                assignment.listeners,
                assignment.plan,
                assignment.table,
                assignment.loads,
                figures=assignment.deployed,
            )
        )

    def listening() -> str:
        address = assignment.plan.config.admin
        return address.host if address is not None else "127.0.0.1"

    app = web.Application(middlewares=[only_for(listening)])
    for path, handler in zip(PATHS, (metrics, healthz, readyz, status), strict=True):
        app.router.add_get(path, handler)
    return app
