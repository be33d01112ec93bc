"""Serves an aiohttp application to untrusted clients: connections and the time for a request's head are bounded, and no
client can fill the log.

aiohttp accepts any number of connections, keeps half a request for an hour, and logs each malformed one with a
traceback; asyncio logs a lack of descriptors a hundred times a second. Here connections are accepted one by one. If
there are too many, a new one replaces one without a request, else an idle one, else the oldest: a client that sends its
request at once is served, however many others are silent. This file knows connections; requests are the application's.
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

_BURST = 16  # connections accepted before other events get a turn
_QUEUE = 128  # connections that may wait to be accepted
_OWN = 48  # descriptors that the process needs for itself and for the supervisor's messages
_REST = 1.0  # seconds until the next accept after the system ran out of descriptors
_CLOSE_TIMEOUT = 0.5  # seconds that open requests have at the end


@dataclass(frozen=True, slots=True)
class Bounds:
    """`most` connections at once; seconds for a request's head, and for a connection without a request."""

    most: int = 64
    head: float = 10.0
    idle: float = 75.0


class _State(IntEnum):
    """What a connection does; the lowest is closed first when room is needed."""

    ASKING = 0  # no complete request has arrived since the start or the last response
    IDLE = 1
    ANSWERED = 2


class BoundedServer:
    """Serves `app`, to which it adds a middleware, on the given sockets, which it then owns."""

    def __init__(self, app: web.Application, bounds: Bounds | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        bounds = bounds or Bounds()
        self._most = _within_descriptors(bounds.most)
        self._timeout = {_State.ASKING: bounds.head, _State.IDLE: bounds.idle}
        app.middlewares.insert(0, self._note)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_TIMEOUT, logger=_logger())
        self._connections: dict[asyncio.BaseProtocol, _Connection] = {}  # by aiohttp's side of them, oldest first
        self._beginning: set[asyncio.Task[object]] = set()
        self._sockets: set[socket.socket] = set()
        self._failures = RepeatedFailures()

    async def setup(self) -> None:
        """Must be complete before `listen`."""
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
                return  # every connection is new: try again at the loop's next turn
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
        """The system has no descriptor. Without a pause, the error would repeat endlessly."""
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
        assert server is not None  # noqa: S101  `setup` is complete
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
            self._failures.tell("starting a connection to the admin server", error)

    def _make_room(self) -> None:
        """Close the least useful connection, and the oldest of those."""
        begun = (one for one in self._connections.values() if one.transport is not None)
        found = min(begun, key=lambda one: one.state, default=None)
        if found is not None:
            self._end(found)

    def _end(self, connection: _Connection) -> None:
        self.lost(connection)
        if connection.transport is not None:
            connection.transport.abort()

    # What connections report

    def lost(self, connection: _Connection) -> None:
        """The connection has ended."""
        self._connections.pop(connection.inner, None)
        connection.wait(None)

    def change(self, connection: _Connection, state: _State) -> None:
        """The connection is in this state from now on, for at most the time that the state allows."""
        connection.state, connection.has_more = state, False
        timeout = self._timeout.get(state)
        connection.wait(None if timeout is None else self._loop.call_later(timeout, self._end, connection))

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        with self._answering(self._connections.get(request.protocol)):
            return await handler(request)

    @contextmanager
    def _answering(self, connection: _Connection | None) -> Iterator[None]:
        if connection is None:
            yield  # it was closed meanwhile
            return
        self.change(connection, _State.ANSWERED)
        try:
            yield
        finally:
            if connection.inner in self._connections:
                self.change(connection, _State.ASKING if connection.has_more else _State.IDLE)


class _Connection(asyncio.Protocol):
    """Sits between asyncio and aiohttp's protocol and reports events; it changes nothing."""

    def __init__(self, inner: web.RequestHandler, server: BoundedServer) -> None:
        self.inner = inner
        self.state = _State.ASKING
        self.has_more = False  # bytes have arrived since the state began
        self.transport: asyncio.Transport | None = None
        self._server = server
        self._end: asyncio.TimerHandle | None = None

    def wait(self, end: asyncio.TimerHandle | None) -> None:
        """Let `end` close it, unless something else happens first."""
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
            self._server.change(self, _State.IDLE)  # the client reads its response
        self.inner.resume_writing()


def _within_descriptors(most: int) -> int:
    descriptors = raise_descriptor_limit()
    return most if descriptors < 0 else max(1, min(most, descriptors - _OWN))  # -1 means no limit


def _logger() -> logging.Logger:
    """The logger for aiohttp's messages about requests."""
    log = logging.getLogger("lb.admin")
    if not log.filters:
        log.addFilter(_is_ours)
        log.addFilter(PacedErrors())
    return log


def _is_ours(record: logging.LogRecord) -> bool:
    """A malformed request is the client's mistake, and is not logged."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
