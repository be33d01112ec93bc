"""What a worker does four times a second: nothing that one part of it meets keeps the rest, or the next time, away."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from lb.http.head import Limits
from lb.proxy.engine import Engine
from lb.proxy.io.listener import Listener
from lb.routing.clients import Clients
from lb.routing.networks import Networks
from lb.routing.snapshot import Snapshot
from lb.routing.table import RouteTable
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab
from tests.proxy.io.wires import PATIENCE, Noting


class Loop:
    """The running loop; with `short`, there is no memory to tell of anything."""

    def __init__(self) -> None:
        self.short = False
        self.told: list[BaseException] = []
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.short:
            raise MemoryError
        self.told.append(context["exception"])


class Watch:
    """Finds nothing out, and fails at it."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self, _: float) -> list[object]:
        self.looks += 1
        if self.looks > 1:
            raise MemoryError
        return []


class Reluctant(Listener):
    """The system refuses to tell of its socket when it is asked for the second and the third time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.came = asyncio.Event()

    def listen(self, poller: Any, sock: socket.socket) -> None:
        self.asked += 1
        if self.asked in (2, 3):
            raise OSError(28, "No space left on device")
        super().listen(poller, sock)

    def accepted(self, fd: int, address: bytes, port: int) -> None:
        super().accepted(fd, address, port)
        self.came.set()


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[tuple[Engine, Loop, Slab]]:
    loop, slab = Loop(), Slab(1)
    snapshot = Snapshot(RouteTable({}), Limits(), lambda _: None, Networks(()))
    engine = Engine(loop, snapshot, AccessLog("-", "off"), None, slab.row(0), Clients())  # type: ignore[arg-type]
    try:
        yield engine, loop, slab
    finally:
        engine.close()


def fail(_: Noting) -> NoReturn:
    raise MemoryError


async def test_deadlines_pass_and_counters_are_told_while_another_part_fails() -> None:
    async with running() as (engine, _, slab):
        watch = Watch()
        engine.watch(watch)  # type: ignore[arg-type]
        wire = Noting()
        for turn in range(1, 4):
            wire.events.clear()
            engine.connects += 1
            engine.deadlines.watch(wire, engine.poller.now)
            await wire.wait_for("expired")
            async with asyncio.timeout(PATIENCE):
                while slab.total()["upstream_connects_total"] != turn:  # noqa: ASYNC110  memory tells nobody
                    await asyncio.sleep(0.01)
        assert watch.looks > 3


async def test_what_one_meets_at_its_deadline_keeps_no_other_from_its_own() -> None:
    async with running() as (engine, loop, _):
        loop.short = True
        wires = [Noting(expired=fail) if at % 2 else Noting() for at in range(10)]
        for wire in wires:
            engine.deadlines.watch(wire, engine.poller.now)
        for wire in wires:
            await wire.wait_for("expired")


async def test_a_listener_that_could_not_listen_again_is_tried_again() -> None:
    async with running() as (engine, _, _slab):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            sock.setblocking(False)
            listener = Reluctant()
            engine.listen(listener, sock)
            engine.shed(listener, errno.EMFILE)
            with socket.create_connection(sock.getsockname()):
                await asyncio.wait_for(listener.came.wait(), PATIENCE)
            assert listener.asked == 4
            engine.stop_listening()
