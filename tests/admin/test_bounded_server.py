"""The admin port under clients that mean no good, with bounds that the tests can reach."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

import pytest
import pytest_asyncio
from aiohttp import web

from lb.admin.bounded_server import BoundedServer, Bounds
from lb.process import assistant
from tests.e2e.harness.waiting import PATIENCE

_GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_HALF = b"GET / HT"
_LONG = 1000.0


class Port:
    """A server on a free port, whose `/wait` answers when `go` is set."""

    def __init__(self, bounds: Bounds) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Event()
        self.clients: list[Client] = []
        app = web.Application()
        app.router.add_get("/", self._answer)
        app.router.add_get("/wait", self._wait)
        self.server = BoundedServer(app, bounds)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = self.socket.getsockname()

    async def _answer(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _wait(self, _: web.Request) -> web.Response:
        self.asked.set()
        await self.go.wait()
        return web.Response(text="late")

    async def connect(self, data: bytes = b"") -> Client:
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(data)
        self.clients.append(client := Client(reader, writer))
        return client

    async def close(self) -> None:
        self.go.set()
        for client in self.clients:
            client.writer.close()
            with suppress(ConnectionError):
                await client.writer.wait_closed()
        await self.server.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, data: bytes = _GET) -> bytes:
        """The status line's code and the body."""
        self.writer.write(data)
        return await self.answer()

    async def answer(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            (length,) = (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
            return head[9:12] + b" " + await self.reader.readexactly(length)

    async def is_ended(self) -> bool:
        """Waits for its end."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True


@pytest_asyncio.fixture
async def ports() -> AsyncIterator[list[Port]]:
    made: list[Port] = []
    yield made
    for port in made:
        await port.close()


async def serve(ports: list[Port], most: int, head: float = _LONG, idle: float = _LONG) -> Port:
    ports.append(port := Port(Bounds(most, head, idle)))
    await port.server.setup()
    port.server.listen(port.socket)
    return port


async def test_a_client_that_asks_is_answered_however_many_say_nothing(ports: list[Port]) -> None:
    port = await serve(ports, 3)
    silent = [await port.connect(_HALF) for _ in range(9)]
    for _ in range(5):
        client = await port.connect()
        assert await client.ask() == b"200 ok"
        client.writer.close()
    assert [await one.is_ended() for one in silent[:7]] == [True] * 7


async def test_who_asks_nothing_goes_before_who_idles_and_that_before_who_is_answered(ports: list[Port]) -> None:
    port = await serve(ports, 3)
    answered = await port.connect(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        await port.asked.wait()
    idle = await port.connect()
    assert await idle.ask() == b"200 ok"
    silent = await port.connect(_HALF)
    first = await port.connect()
    assert await first.ask() == b"200 ok"
    assert await silent.is_ended()
    second = await port.connect()
    assert await second.ask() == b"200 ok"
    assert await idle.is_ended()
    assert await first.ask() == b"200 ok"
    port.go.set()
    assert await answered.answer() == b"200 late"


@pytest.mark.parametrize("before", [b"", _HALF])
async def test_a_head_must_come_in_time(ports: list[Port], before: bytes) -> None:
    port = await serve(ports, 3, head=0.05)
    client = await port.connect(before)
    assert await client.is_ended()


async def test_a_head_must_come_in_time_behind_an_answer_and_beside_connections_that_idle(ports: list[Port]) -> None:
    port = await serve(ports, 3, head=0.3)
    idle = await port.connect()
    assert await idle.ask() == b"200 ok"
    client = await port.connect()
    assert await client.ask() == b"200 ok"
    client.writer.write(_HALF)
    assert await client.is_ended()
    assert await idle.ask() == b"200 ok"


async def test_what_idles_has_an_end(ports: list[Port]) -> None:
    port = await serve(ports, 3, idle=0.05)
    client = await port.connect()
    assert await client.ask() == b"200 ok"
    assert await client.is_ended()


async def test_the_place_of_one_that_has_gone_is_free(ports: list[Port]) -> None:
    port = await serve(ports, 2)
    kept = await port.connect()
    assert await kept.ask() == b"200 ok"
    for _ in range(5):
        other = await port.connect()
        assert await other.ask(_GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) == b"200 ok"
        assert await other.is_ended()
    assert await kept.ask() == b"200 ok"


@contextmanager
def no_descriptors() -> Iterator[None]:
    """For a while the process gets no descriptor beyond those that it has."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as probe:  # noqa: PTH123  the number counts
        free = probe.fileno()
    taken = [number for number in range(free, before[0]) if os.path.exists(f"/proc/self/fd/{number}")]  # noqa: PTH110
    assert not [number for number in taken if number < free]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are looked up in /proc")
async def test_without_descriptors_it_says_so_once_and_rests(
    ports: list[Port], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lb.admin.bounded_server._REST", 0.05)
    port = await serve(ports, 3)
    looks, thrice = 0, asyncio.Event()
    accept = port.server._accept

    def counted(sock: socket.socket) -> None:
        nonlocal looks
        looks += 1
        accept(sock)
        if looks >= 3:
            thrice.set()

    port.server._accept = counted  # type: ignore[method-assign]
    port.server._loop.remove_reader(port.socket.fileno())
    port.server._accept_again(port.socket)
    late = socket.socket()
    late.setblocking(False)
    with no_descriptors():
        late.connect_ex(port.address)
        async with asyncio.timeout(PATIENCE):
            await thrice.wait()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "accepting a connection to the admin server" in caplog.text
    with late:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(late, _GET)
        async with asyncio.timeout(PATIENCE):
            assert (await loop.sock_recv(late, 100)).startswith(b"HTTP/1.1 200")
    assert looks < 10


async def test_malformed_requests_are_refused_and_say_nothing(
    ports: list[Port], caplog: pytest.LogCaptureFixture
) -> None:
    port = await serve(ports, 3)
    for request in (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", b"GET /\xff\r\n\r\n", b"G\r\n\r\n"):
        client = await port.connect()
        assert (await client.ask(request)).startswith(b"400 ")
    assert not caplog.records


def test_an_error_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = logging.getLogger("tests.paced")
    paced = assistant.PacedErrors(lambda: now)
    log.addFilter(paced)
    for _ in range(5):
        log.error("accepting failed\n%s", "details")
        log.error("another one")
    assert len(caplog.records) == 2
    now = 61.0
    log.error("accepting failed\n%s", "details")
    assert len(caplog.records) == 3
    for number in range(100):
        log.error(f"different {number}")  # noqa: G004
    assert len(caplog.records) <= 3 + assistant._MOST_SAID
    log.removeFilter(paced)
