"""The engine's Unix socket: a line of JSON asks, lines of JSON answer, the last of them is the result.

    {"protocol": 1, "command": "deploy", "app": "shop", "environment": "production", …}

    {"event": "step", "text": "Building"}             a large step of a deploy
    {"event": "line", "text": "…"}                    a line below it
    {"event": "send", "what": "source"}               now the client sends the archive: {"chunk": N}, a line feed and N
                                                      bytes, again and again; {"chunk": 0} ends it
    {"event": "output", "stream": "out", "text": "…"} a line of `lb run`
    {"event": "log", …}                               a line of `lb logs`
    {"event": "result", "ok": true, "code": 0, "sentence": "…", …}

While it listens a client may send {"command": "cancel"}; one that closes lets a deploy go on, unless it said
"attached". Who it is, the kernel tells: the engine's user and root may do everything, its group may only look and
subscribe (placements.py). This file knows lines and peers. It must not know what a command does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from lb.apps.service.engine_socket import EngineListener, PeerUser, peer_user
from lb.apps.service.placements import LONGEST_LINE, PROTOCOL, line_of, read_line

log = logging.getLogger("lb.engine")

_LARGEST_CHUNK = 1 << 20
_UNSENT = 8 << 20  # bytes that a client may leave unread before it is given up
_PATIENCE = 30.0  # seconds for a request to come
USAGE, BAD_FILES, FAILED = 2, 78, 1


class RequestError(Exception):
    """A request that cannot be carried out: a sentence, what to do, and the command's exit code."""

    def __init__(self, sentence: str, next_step: str = "", code: int = FAILED) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.next_step = next_step
        self.code = code


class EngineRequest:
    """The fields of a request; what has the wrong type is refused."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    @property
    def command(self) -> str:
        return self.text("command")

    def text(self, name: str, default: str | None = "") -> str:
        value = self._fields.get(name, default)
        if not isinstance(value, str):
            raise RequestError(f"the request's {name} is not text", code=USAGE)
        return value

    def number(self, name: str, default: int | None = None) -> int | None:
        value = self._fields.get(name, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise RequestError(f"the request's {name} is not a number", code=USAGE)
        return value

    def flag(self, name: str) -> bool:
        return self._fields.get(name) is True

    def texts(self, name: str) -> list[str]:
        value = self._fields.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise RequestError(f"the request's {name} is not a list of texts", code=USAGE)
        return value

    def mapping(self, name: str) -> dict[str, str]:
        value = self._fields.get(name, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise RequestError(f"the request's {name} is not a mapping of texts", code=USAGE)
        return value


class EngineConnection:
    """One client. Its lines are read all the time: what is not a chunk is handed to `on_line`, None at its end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: PeerUser) -> None:
        self.peer = peer
        self.closed = asyncio.Event()
        self.on_line: Callable[[Mapping[str, Any]], None] = lambda _: None
        self._reader = reader
        self._writer = writer
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(4)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Sends a line without waiting; a client that does not read is given up."""
        if self._writer.is_closing():
            return
        self._writer.write(line_of(message))
        if self._writer.transport.get_write_buffer_size() > _UNSENT:
            log.warning("process %s does not read what it asked for: its connection is closed", self.peer.pid)
            self._writer.transport.abort()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Sends a line, as fast as the client reads; one that has gone is nothing to wait for."""
        self.tell(message)
        with suppress(OSError):
            await self._writer.drain()

    async def first_line(self) -> Mapping[str, Any]:
        """Raises ValueError, TimeoutError, OSError."""
        return read_line(await asyncio.wait_for(self._reader.readline(), _PATIENCE))

    async def pump(self) -> None:
        """Reads until the client closes."""
        try:
            while line := await self._reader.readline():
                message = read_line(line)
                size = message.get("chunk")
                if size is None:
                    self.on_line(message)
                elif isinstance(size, int) and 0 <= size <= _LARGEST_CHUNK:
                    await self._chunks.put(await self._reader.readexactly(size))
                else:
                    break
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it is gone, or speaks something else
        finally:
            self.closed.set()

    async def next_chunk(self) -> bytes | None:
        """The next piece of what the client sends; empty at its end, None if it has gone."""
        if not self._chunks.empty():
            return self._chunks.get_nowait()
        get = asyncio.ensure_future(self._chunks.get())
        gone = asyncio.ensure_future(self.closed.wait())
        try:
            await asyncio.wait((get, gone), return_when=asyncio.FIRST_COMPLETED)
            return get.result() if get.done() else None
        finally:
            get.cancel()
            gone.cancel()

    def close(self) -> None:
        self._writer.close()


Handler = Callable[[EngineRequest, EngineConnection], Awaitable[Mapping[str, Any]]]


class EngineApi:
    """Serves the socket. `reading` are the names of the handlers that the engine's group may use."""

    def __init__(self, listener: EngineListener, handlers: Mapping[str, Handler], reading: frozenset[str]) -> None:
        self._listener = listener
        self._handlers = handlers
        self._reading = reading
        self._clients: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        self._server = await asyncio.start_unix_server(self._accepted, sock=self._listener.listener, limit=LONGEST_LINE)

    async def close(self) -> None:
        self._server.close()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._listener.close()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  asyncio made one for us
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the engine ends
        finally:
            self._clients.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = EngineConnection(reader, writer, peer_user(writer.get_extra_info("socket")))
        try:
            request = EngineRequest(await connection.first_line())
        except (ValueError, OSError, TimeoutError, asyncio.LimitOverrunError):
            return
        pump = asyncio.ensure_future(connection.pump())
        try:
            result = await self._answer(request, connection)
            await connection.send({"event": "result", **result})
        finally:
            pump.cancel()

    async def _answer(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        try:
            handler = self._handler(request.command, connection.peer)
            return {"ok": True, "code": 0, "protocol": PROTOCOL, **await handler(request, connection)}
        except RequestError as error:
            return _refusal(error.sentence, error.next_step, error.code)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            return _refusal(f"{error.strerror or error}{where}", "", FAILED)
        except Exception:  # whoever asked must hear of it
            log.exception("the engine failed at a request")
            return _refusal("the engine failed", "Its log has the reason", FAILED)

    def _handler(self, command: str, peer: PeerUser) -> Handler:
        handler = self._handlers.get(command)
        if handler is None:
            raise RequestError(f"this engine does not know the command {command!r}", "Upgrade it", USAGE)
        if not (peer.may_command or (peer.may_read and command in self._reading)):
            raise RequestError(
                f"user {peer.user} may not do this: the engine is another user's", "Be that user, or root"
            )
        return handler


def _refusal(sentence: str, next_step: str, code: int) -> dict[str, Any]:
    return {"ok": False, "code": code, "sentence": sentence, "next_step": next_step, "protocol": PROTOCOL}
