"""The listening sockets that a worker serves, and how a changed configuration changes them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from lb.http.head import Limits
from lb.process.child_config import ChildConfig, inode
from lb.proxy.engine import Engine
from lb.routing.clients import Clients
from lb.routing.networks import Networks
from lb.routing.snapshot import Snapshot
from lb.routing.table import RouteTable
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab
from lb.tls.handshake.contexts import Contexts
from lb.worker.listening import ListeningSocket, WorkerListeners

Make = Callable[[], socket.socket]


@pytest.fixture
def sock() -> Iterator[Callable[[], socket.socket]]:
    made: list[socket.socket] = []

    def make() -> socket.socket:
        one = socket.create_server(("127.0.0.1", 0))
        one.setblocking(False)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
async def engine(sock: Make) -> AsyncIterator[Engine]:
    # It ends before the sockets do.
    snapshot = Snapshot(RouteTable({}), Limits(), lambda _: None, Networks(()))
    loop = asyncio.get_running_loop()
    made = Engine(loop, snapshot, AccessLog("-", "off"), None, Slab(1).row(0), Clients())
    yield made
    made.close()


@pytest.fixture
def listeners(engine: Engine) -> WorkerListeners:
    return WorkerListeners(engine, Contexts())


def again(sock: socket.socket) -> socket.socket:
    """Another descriptor of it."""
    return socket.socket(fileno=os.dup(sock.fileno()))


def revision(*listening: socket.socket, left: frozenset[int] = frozenset(), scheme: bytes = b"http") -> ChildConfig:
    return ChildConfig("worker", None, 1, tuple((scheme, inode(sock)) for sock in listening), left, ())


async def test_a_second_descriptor_of_a_socket_is_closed(
    listeners: WorkerListeners, engine: Engine, sock: Make
) -> None:
    one = sock()
    copy = again(one)
    listeners.serve(ListeningSocket(b"http", one))
    listeners.serve(ListeningSocket(b"http", copy))
    assert copy.fileno() == -1
    assert inode(one) in listeners
    assert len(engine.listeners) == 1


# spec: R4
async def test_what_a_revision_says_and_nothing_else_is_served(
    listeners: WorkerListeners, engine: Engine, sock: Make
) -> None:
    stays, goes, comes = sock(), sock(), sock()
    numbers = [inode(one) for one in (stays, goes, comes)]
    for one in (stays, goes):
        listeners.serve(ListeningSocket(b"http", one))
    listeners.change(revision(stays, comes), {numbers[2]: comes, numbers[0]: (copy := again(stays))})
    assert [number in listeners for number in numbers] == [True, False, True]
    assert (goes.fileno(), copy.fileno()) == (-1, -1)
    assert stays.fileno() >= 0
    assert len(engine.listeners) == 2


# spec: R4
@pytest.mark.parametrize("left", [True, False])
async def test_what_waits_where_nobody_listens_any_more_is_accepted(
    listeners: WorkerListeners, engine: Engine, sock: Make, left: bool
) -> None:
    one = sock()
    number = inode(one)
    keeps = again(one)
    listeners.serve(ListeningSocket(b"http", one))
    with socket.create_connection(keeps.getsockname()):
        listeners.change(revision(left=frozenset((number,)) if left else frozenset()), {})
        assert engine.connections_total == int(left)
        if not left:
            keeps.accept()[0].close()  # it waits for whoever has the socket
    keeps.close()


async def test_a_socket_may_change_its_scheme(listeners: WorkerListeners, engine: Engine, sock: Make) -> None:
    one = sock()
    listeners.serve(ListeningSocket(b"http", one))
    listeners.change(revision(one, scheme=b"https"), {})
    assert one.fileno() >= 0
    assert len(engine.listeners) == 1


async def test_when_the_engine_accepts_no_more_the_sockets_are_let_go(
    listeners: WorkerListeners, engine: Engine, sock: Make
) -> None:
    one = sock()
    number = inode(one)
    listeners.serve(ListeningSocket(b"http", one))
    engine.stop_listening()
    listeners.close()
    assert one.fileno() == -1
    assert number not in listeners
