"""Serves an aiohttp application to clients that may mean no good: the number of connections and the time for a
request's head have bounds, and no client can fill the log.

aiohttp accepts whatever comes, keeps half a request for an hour, and logs each malformed one with a traceback; asyncio
logs a lack of descriptors a hundred times a second. Here connections are accepted one by one. Where there are too many,
a new one takes the place of one that has asked for nothing, else of one that idles, else of the oldest: a client that
asks at once is answered, however many others say nothing. This file knows connections; requests are the application's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from lb.process.assistant import PacedErrors
from lb.process.every import RepeatedFailures
from lb.process.limits import raise_descriptor_limit

_BURST = 16  # connections accepted before others have their turn
_QUEUE = 128  # connections that may wait to be accepted
_OWN = 48  # descriptors that the process needs for itself and for the supervisor's messages
_REST = 1.0  # seconds until the next connection is accepted after the system had no descriptor for one
_CLOSE_PATIENCE = 0.5  # seconds that open requests get at the end


@dataclass(frozen=True, slots=True)
class Bounds:
    """`most` connections at once; seconds for the head of a request, and for a connection without one."""

    most: int = 64
    head: float = 10.0
    idle: float = 75.0


class _State(IntEnum):
    """What a connection does; the lowest goes first where room is needed."""

    ASKING = 0  # no whole request has come, neither at first nor since the last answer
    IDLE = 1
    ANSWERED = 2


class BoundedServer:
    """Serves `app`, which it adds a middleware to, on the sockets that it is given, which it owns from then on."""

    def __init__(self, app: web.Application, bounds: Bounds | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        bounds = bounds or Bounds()
        self._most = _within_descriptors(bounds.most)
        self._patience = {_State.ASKING: bounds.head, _State.IDLE: bounds.idle}
        app.middlewares.insert(0, self._note)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_PATIENCE, logger=_logger())
        self._connections: dict[asyncio.BaseProtocol, _Connection] = {}  # by aiohttp's side of them, oldest first
        self._beginning: set[asyncio.Task[object]] = set()
        self._sockets: set[socket.socket] = set()
        self._failures = RepeatedFailures()

    async def setup(self) -> None:
        """Must have ended before `listen`."""
        await self._runner.setup()

    def listen(self, sock: socket.socket) -> None:
        sock.listen(_QUEUE)
        sock.setblocking(False)
        self._sockets.add(sock)
        self._loop.add_reader(sock.fileno(), self._accept, sock)

    def leave(self, sock: socket.socket) -> None:
        """Stop listening there; connections stay open."""
        self._sockets.discard(sock)
        self._loop.remove_reader(sock.fileno())
        sock.close()

    async def close(self) -> None:
        for sock in list(self._sockets):
            self.leave(sock)
        await self._runner.cleanup()

    # Accepting

    def _accept(self, sock: socket.socket) -> None:
        for _ in range(_BURST):
            is_full = len(self._connections) >= self._most
            if is_full and all(one.transport is None for one in self._connections.values()):
                return  # all of them are as new: at the loop's next turn
            try:
                accepted, _ = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._refused(sock, error)
                return
            if is_full:
                self._make_room()
            self._begin(accepted)

    def _refused(self, sock: socket.socket, error: OSError) -> None:
        """The system has no descriptor. Asked again at once, it would say so without end."""
        self._failures.tell("accepting a connection to the admin server", error)
        self._make_room()
        self._loop.remove_reader(sock.fileno())
        self._loop.call_later(_REST, self._accept_again, sock)

    def _accept_again(self, sock: socket.socket) -> None:
        if sock in self._sockets:
            self._loop.add_reader(sock.fileno(), self._accept, sock)

    def _begin(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        server = self._runner.server
        assert server is not None  # noqa: S101  `setup` came first
        connection = _Connection(server(), self)
        self._connections[connection.inner] = connection
        self.change(connection, _State.ASKING)
        task = self._loop.create_task(self._loop.connect_accepted_socket(lambda: connection, accepted))
        self._beginning.add(task)
        task.add_done_callback(partial(self._has_begun, connection, accepted))

    def _has_begun(self, connection: _Connection, accepted: socket.socket, task: asyncio.Task[object]) -> None:
        self._beginning.discard(task)
        if task.cancelled() or task.exception() is not None:
            self.lost(connection)
            accepted.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.tell("beginning a connection to the admin server", error)

    def _make_room(self) -> None:
        """End the connection that is missed least, the oldest of those."""
        begun = (one for one in self._connections.values() if one.transport is not None)
        found = min(begun, key=lambda one: one.state, default=None)
        if found is not None:
            self._end(found)

    def _end(self, connection: _Connection) -> None:
        self.lost(connection)
        if connection.transport is not None:
            connection.transport.abort()

    # What connections tell

    def lost(self, connection: _Connection) -> None:
        """It is over."""
        self._connections.pop(connection.inner, None)
        connection.wait(None)

    def change(self, connection: _Connection, state: _State) -> None:
        """It does this from now on, for as long as that may take."""
        connection.state, connection.has_more = state, False
        patience = self._patience.get(state)
        connection.wait(None if patience is None else self._loop.call_later(patience, self._end, connection))

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        with self._answering(self._connections.get(request.protocol)):
            return await handler(request)

    @contextmanager
    def _answering(self, connection: _Connection | None) -> Iterator[None]:
        if connection is None:
            yield  # it was ended meanwhile
            return
        self.change(connection, _State.ANSWERED)
        try:
            yield
        finally:
            if connection.inner in self._connections:
                self.change(connection, _State.ASKING if connection.has_more else _State.IDLE)


class _Connection(asyncio.Protocol):
    """Stands between asyncio and aiohttp's protocol, and tells what happens; it changes nothing."""

    def __init__(self, inner: web.RequestHandler, server: BoundedServer) -> None:
        self.inner = inner
        self.state = _State.ASKING
        self.has_more = False  # bytes have come since the state began
        self.transport: asyncio.Transport | None = None
        self._server = server
        self._end: asyncio.TimerHandle | None = None

    def wait(self, end: asyncio.TimerHandle | None) -> None:
        """Let `end` end it, unless something else happens first."""
        if self._end is not None:
            self._end.cancel()
        self._end = end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  it is a stream's
        self.transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.state is _State.IDLE:
            self._server.change(self, _State.ASKING)
        self.has_more = True
        self.inner.data_received(data)

    def eof_received(self) -> None:
        self.inner.eof_received()

    def connection_lost(self, error: BaseException | None) -> None:
        self._server.lost(self)
        self.inner.connection_lost(error)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        if self.state is _State.IDLE:
            self._server.change(self, _State.IDLE)  # the client reads what it is sent
        self.inner.resume_writing()


def _within_descriptors(most: int) -> int:
    descriptors = raise_descriptor_limit()
    return most if descriptors < 0 else max(1, min(most, descriptors - _OWN))  # -1 says that there is no limit


def _logger() -> logging.Logger:
    """What aiohttp says about requests goes here."""
    log = logging.getLogger("lb.admin")
    if not log.filters:
        log.addFilter(_is_ours)
        log.addFilter(PacedErrors())
    return log


def _is_ours(record: logging.LogRecord) -> bool:
    """A malformed request is its sender's mistake, and no news."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
