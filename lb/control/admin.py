"""The admin server: metrics and health of the whole service, from a process of its own.

It reads shared memory only, the counters that workers write, the board that the supervisor writes and the table of
instances' health, so that a scrape costs the workers nothing and is answered while they are busy. It changes nothing:
every path is read-only. aiohttp is imported here and in no process that serves apps.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from lb.config.model import Config
from lb.control.board import Board
from lb.control.health.report import serving
from lb.control.status import describe, state
from lb.routing.health import HealthTable
from lb.telemetry.counters import Slab
from lb.telemetry.prometheus import CONTENT_TYPE, render, render_health
from lb.worker.channel import Channel

PATHS = ("/metrics", "/healthz", "/readyz", "/status")
_CLOSE_PATIENCE = 0.5  # seconds that open requests get when it ends


@dataclass(frozen=True, slots=True)
class AdminAssignment:
    """All that the admin process inherits: `listeners` are the URLs that the workers serve, `info` describes the
    build (version, engine, …) in metrics and status.
    """

    config: Config
    listeners: tuple[str, ...]
    sockets: tuple[socket.socket, ...]
    slab: Slab
    board: Board
    table: HealthTable
    info: Mapping[str, str]


def run_admin(assignment: AdminAssignment, line: socket.socket) -> int:
    """Serves until SIGTERM or the supervisor's death; returns the exit status 0."""
    asyncio.run(_serve(assignment, line))
    return 0


async def _serve(assignment: AdminAssignment, line: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    signal.pthread_sigmask(
        signal.SIG_UNBLOCK, (signal.SIGTERM,)
    )  # SIGUSR1 stays blocked: there is no log to reopen here
    channel = Channel(loop, line, ended.set)
    runner = web.AppRunner(make_app(assignment), access_log=None, shutdown_timeout=_CLOSE_PATIENCE)
    await runner.setup()
    for sock in assignment.sockets:
        await web.SockSite(runner, sock).start()
    channel.say_ready()
    await ended.wait()
    await runner.cleanup()
    channel.close()


def make_app(assignment: AdminAssignment) -> web.Application:
    """The application by itself."""
    board = assignment.board

    async def metrics(_: web.Request) -> web.Response:
        body = render(assignment.slab.total(), assignment.info)
        body += render_health(serving(assignment.config, assignment.table))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # without its supervisor this process ends, so an answer is the proof

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(status=200 if board.ready() else 503, text=f"{state(board)}\n")

    async def status(_: web.Request) -> web.Response:
        return web.json_response(
            describe(assignment.info, board, assignment.listeners, assignment.config, assignment.table)
        )

    app = web.Application()
    for path, handler in zip(PATHS, (metrics, healthz, readyz, status), strict=True):
        app.router.add_get(path, handler)
    return app
