"""Wires for tests: they note what they are told, and their peer is a plain socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from lb.proxy.io.file_sender import FileSender
from lb.proxy.io.poller import Poller
from lb.proxy.io.wire import Wire

PATIENCE = 10.0


class Noting(FileSender):
    """Writes down what happens to it, in order; `on` holds what is to be done then."""

    __slots__ = ("changed", "events", "failures", "on")

    def __init__(self, **on: Callable[[Noting], object]) -> None:
        super().__init__()
        self.events: list[str] = []
        self.on = on
        self.changed = asyncio.Event()

    def take(self, n: int) -> bytes:
        """The first `n` unread bytes, out of the way."""
        taken = bytes(self.view(n))
        self.drop(n)
        return taken

    def _note(self, event: str) -> None:
        self.events.append(event)
        self.changed.set()
        if event in self.on:
            self.on[event](self)

    def connected(self) -> None:
        self._note("connected")

    def connect_failed(self, error: int) -> None:
        self._note(f"connect_failed {errno.errorcode[error]}")

    def suspended(self) -> None:
        self._note("suspended")

    def handshaken(self) -> None:
        self._note("handshaken")

    def unsecured(self) -> None:
        self._note("unsecured")
        if "unsecured" not in self.on:
            super().unsecured()

    def received(self) -> None:
        self._note("received")

    def ended(self) -> None:
        self._note("ended")

    def drained(self) -> None:
        self._note("drained")

    def flooded(self) -> None:
        self._note("flooded")

    def lost(self) -> None:
        self._note("lost")

    def expired(self) -> None:
        self._note("expired")

    async def wait_for(self, what: str | Callable[[], object]) -> None:
        """Wait until an event was noted, or something is so."""

        def so() -> bool:
            return what in self.events if isinstance(what, str) else bool(what())

        async with asyncio.timeout(PATIENCE):
            while not so():
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Bench:
    """A poller, and the errors it has told of."""

    poller: Poller
    errors: list[Exception] = field(default_factory=list)

    def pair(self, family: int = socket.AF_UNIX, **on: Callable[[Noting], object]) -> tuple[Noting, socket.socket]:
        """A Wire and its peer."""
        ours, theirs = socket.socketpair(family) if family == socket.AF_UNIX else connected()
        theirs.setblocking(False)
        return self.wire(ours, **on), theirs

    def wire(self, ours: socket.socket, **on: Callable[[Noting], object]) -> Noting:
        """A Wire on this socket."""
        ours.setblocking(False)
        wire = Noting(**on)
        wire.attach(self.poller, ours.detach())
        return wire


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        theirs.setblocking(False)
        return server.accept()[0], theirs


@contextlib.asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """A poller for this test; an error in a handler fails it unless it is taken from `errors`."""
    errors: list[Exception] = []

    def failed(watched: Any, error: Exception) -> None:
        errors.append(error)
        if isinstance(watched, Wire):
            watched.abort()

    poller = Poller(asyncio.get_running_loop(), failed)
    made = Bench(poller, errors)
    try:
        yield made
    finally:
        poller.close()
    assert errors == []


async def turns(count: int = 3) -> None:
    """Let the loop go round: what is due now has happened then."""
    for _ in range(count):
        await asyncio.sleep(0)
        select.select([], [], [], 0)


async def read(peer: socket.socket, size: int) -> bytes:
    """So many bytes from the peer's socket, less if it ends before."""
    loop = asyncio.get_running_loop()
    data = b""
    async with asyncio.timeout(PATIENCE):
        while len(data) < size:
            piece = await loop.sock_recv(peer, min(size - len(data), 1 << 20))
            if not piece:
                break
            data += piece
    return data


async def read_all(peer: socket.socket) -> bytes:
    """All that still comes, up to the end."""
    return await read(peer, 1 << 30)
