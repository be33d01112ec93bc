"""An accepted connection is whole, or it is closed and counted nowhere: whatever fails on the way."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from lb.config.load import config_for_instances
from lb.config.plan import make_plan
from lb.http.head import Limits
from lb.process.child_config import compile_for_worker
from lb.proxy.engine import Engine
from lb.proxy.http1.accept import ClientListener
from lb.routing.clients import Clients
from lb.routing.networks import Networks
from lb.routing.registry import Registry
from lb.routing.snapshot import Snapshot
from lb.routing.table import RouteTable
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab
from tests.proxy.io.wires import Bench, bench, read_all, turns


@dataclass
class Front:
    """An engine on this loop, and what it has told of."""

    engine: Engine
    told: list[dict[str, Any]] = field(default_factory=list)

    async def connect(self, listener: ClientListener, sock: socket.socket) -> bytes:
        """What a client is told that connects and says something."""
        self.engine.listen(listener, sock)
        with socket.create_connection(sock.getsockname()) as client:
            client.setblocking(False)
            client.sendall(b"\x16\x03\x01\x00\x01\x01")
            try:
                return await read_all(client)
            except ConnectionResetError:
                return b""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
async def front(listening: socket.socket) -> AsyncIterator[Front]:
    loop = asyncio.get_running_loop()
    config = config_for_instances(["127.0.0.1:1"], [], "127.0.0.1:0")
    snapshot, plan = compile_for_worker(make_plan(config), Registry(), None, 1)
    plan.commit()
    log = AccessLog("-", "off")
    made = Front(Engine(loop, snapshot, log, None, Slab(1).row(0), Clients()))
    loop.set_exception_handler(lambda _, context: made.told.append(context))
    yield made
    made.engine.close()
    assert listening.fileno() >= 0


class Poor:
    """Contexts without memory for another connection."""

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        raise MemoryError(incoming, outgoing)


# spec: E3
async def test_tls_that_cannot_begin_leaves_no_connection(front: Front, listening: socket.socket) -> None:
    listener = ClientListener(front.engine, b"https", Poor())
    for number in range(1, 4):
        assert await front.connect(listener, listening) == b""
        front.engine.listeners.hand_over(listener)
        await turns()
        assert front.engine.open_connections == 0
        assert front.engine.connections_total == number
        assert len(front.told) == number
        assert isinstance(front.told[-1]["exception"], MemoryError)


async def test_a_count_that_fails_leaves_no_connection(
    front: Front, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def came(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(type(front.engine.evictor), "came", came)
    assert await front.connect(ClientListener(front.engine, b"http", None), listening) == b""
    assert front.engine.open_connections == 0
    assert len(front.told) == 1


async def test_a_wire_whose_tls_cannot_begin_can_be_aborted() -> None:
    async with bench() as on:
        await _begin_without_memory(on)


async def _begin_without_memory(on: Bench) -> None:
    wire, sock = on.pair(socket.AF_INET)
    with pytest.raises(MemoryError):
        wire.start_tls(Poor())
    sock.send(b"\x16\x03\x01\x00\x05hello")
    await turns(5)  # it is no connection in a handshake: what comes is bytes
    wire.abort()
    assert wire.events[-1] == "lost"
    sock.close()


# spec: L5
@contextmanager
def _engine() -> Iterator[Engine]:
    snapshot = Snapshot(RouteTable({}), Limits(), lambda _: None, Networks(()))
    loop = asyncio.get_running_loop()
    engine = Engine(loop, snapshot, AccessLog("-", "off"), None, Slab(1).row(0), Clients())
    engine.switch(snapshot)
    try:
        yield engine
    finally:
        engine.close()


async def test_one_that_is_turned_away_is_not_counted() -> None:
    with _engine() as engine:
        engine.max_connections = 1
        listener = ClientListener(engine, b"http", None)
        pairs = [socket.socketpair() for _ in range(3)]
        for _, ours in pairs:
            ours.setblocking(False)
            listener.accepted(ours.detach(), b"192.0.2.1", 1)
            assert engine.open_connections == 1
        heads = []
        for theirs, _ in pairs[1:]:
            theirs.settimeout(5)
            heads.append(theirs.recv(65536))
        assert all(head.startswith(b"HTTP/1.1 503 ") and b"(limits" not in head for head in heads)
        assert all(b"limits.connections" in head for head in heads)
        for theirs, _ in pairs:
            theirs.close()
