"""The clients: mixed requests, each with an identifier of its own, and what became of every one of them."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.e2e.chaos.answers import Answer, Cut, read_answer
from tests.e2e.chaos.pattern import digest, pattern
from tests.e2e.harness.client import HOST

PATIENCE = 25.0  # seconds after which a request counts as hanging
_SIZES = (0, 1, 200, 3000, 20000, 150000)
_WAYS = ("length", "chunked", "close")
_LIMIT = 1 << 20

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], "asyncio.Future[Streams]"]


@dataclass(frozen=True)
class Fate:
    """One request: `outcome` is "200", "502 connection_refused", "cut" (within an answer) or "lost" (before one).
    Times are seconds of the monotonic clock.
    """

    method: str
    identifier: str
    body: bytes
    outcome: str
    began: float
    ended: float


@dataclass
class Traffic:
    """All clients' doings. `wrong` are the findings that nothing excuses."""

    http: int
    https: int
    context: ssl.SSLContext
    chance: random.Random
    fates: list[Fate] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    echoes: int = 0
    stopped: bool = False
    _count: int = 0

    def clients(self) -> list[asyncio.Task[None]]:
        """Begin; every task ends soon after `stopped` is set."""
        doings = [self._asks("GET", secure) for secure in (False, True) for _ in range(3)]
        doings += [self._asks(method, secure) for method in ("POST", "PUT") for secure in (False, True)]
        doings += [self._asks("POST", secure=False, keep=False), self._asks("GET", secure=True, keep=False)]
        doings += [self._pipelines(), self._pipelines(), self._reads_slowly(), self._echoes(), self._echoes()]
        return [asyncio.create_task(doing) for doing in doings]

    def _identifier(self) -> str:
        self._count += 1
        return f"request-{self._count}-{self.chance.getrandbits(64):x}"

    @asynccontextmanager
    async def _connection(self, secure: bool, limit: int = _LIMIT) -> AsyncIterator[Streams | None]:
        """None where no connection could be made: its worker was killed with it in the queue."""
        try:
            if secure:
                streams = await asyncio.open_connection(
                    "127.0.0.1", self.https, ssl=self.context, server_hostname=HOST, limit=limit
                )
            else:
                streams = await asyncio.open_connection("127.0.0.1", self.http, limit=limit)
        except OSError:
            yield None
            return
        try:
            yield streams
        finally:
            streams[1].transport.abort()

    def _request(self, method: str, size: int) -> tuple[str, bytes, bytes, bytes]:
        """Identifier, body, expected answer, the request's bytes."""
        identifier = self._identifier()
        body = b"" if method == "GET" else pattern(identifier + "body", self.chance.choice(_SIZES))
        how = self.chance.choice(_WAYS)
        head = f"{method} /{identifier}?size={size}&how={how} HTTP/1.1\r\nHost: {HOST}\r\n"
        if method == "GET":
            data = head.encode() + b"\r\n"
        elif self.chance.random() < 0.5:
            data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        else:
            framed = b"%x\r\n" % len(body) + body + b"\r\n" if body else b""
            data = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + framed + b"0\r\n\r\n"
        return identifier, body, pattern(identifier, size) + digest(body).encode(), data

    def _judge(self, method: str, identifier: str, body: bytes, expected: bytes, answer: Answer, began: float) -> None:
        if answer.status == 200 and answer.body != expected:
            self.wrong.append(
                f"{method} {identifier}: not its own answer: {answer.body[:80]!r}, {len(answer.body)} bytes"
            )
        if answer.status != 200 and not answer.cause:
            self.wrong.append(f"{method} {identifier}: {answer.status} without a cause")
        outcome = f"{answer.status} {answer.cause}".strip()
        self.fates.append(Fate(method, identifier, body, outcome, began, time.monotonic()))

    async def _asks(self, method: str, secure: bool, keep: bool = True) -> None:
        """One request after the other on a connection, until that ends."""
        while not self.stopped:
            async with self._connection(secure) as streams:
                going = streams is not None
                while going and streams is not None and not self.stopped:
                    going = await self._exchange(method, streams) and keep

    async def _exchange(self, method: str, streams: Streams) -> bool:
        """Whether the connection may serve another."""
        reader, writer = streams
        identifier, body, expected, data = self._request(method, self.chance.choice(_SIZES))
        began = time.monotonic()
        sending = asyncio.create_task(_send(writer, data))  # an early answer must be seen while still sending
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await read_answer(reader)
        except Cut as cut:
            outcome = "cut" if cut.begun else "lost"
            self.fates.append(Fate(method, identifier, body, outcome, began, time.monotonic()))
            return False
        except TimeoutError:
            self.wrong.append(f"{method} {identifier}: no answer within {PATIENCE} s")
            return False
        finally:
            sending.cancel()
        self._judge(method, identifier, body, expected, answer, began)
        return answer.keep_alive

    async def _pipelines(self) -> None:
        """Five requests at once: answers come in their order, each its own."""
        while not self.stopped:
            async with self._connection(secure=False) as streams:
                if streams is None:
                    continue
                requests = [self._request("GET", self.chance.choice(_SIZES[:4])) for _ in range(5)]
                began = time.monotonic()
                await _send(streams[1], b"".join(data for *_, data in requests))
                await self._read_all(streams[0], requests, began)

    async def _read_all(
        self, reader: asyncio.StreamReader, requests: list[tuple[str, bytes, bytes, bytes]], began: float
    ) -> None:
        for identifier, body, expected, _ in requests:
            try:
                async with asyncio.timeout(PATIENCE):
                    answer = await read_answer(reader)
            except Cut as cut:
                outcome = "cut" if cut.begun else "lost"
                self.fates.append(Fate("GET", identifier, body, outcome, began, time.monotonic()))
                return  # those behind it were not answered, as RFC 9112 9.3.2 allows
            except TimeoutError:
                self.wrong.append(f"GET {identifier}: no answer within {PATIENCE} s")
                return
            self._judge("GET", identifier, body, expected, answer, began)
            if not answer.keep_alive:
                return

    async def _reads_slowly(self) -> None:
        """A large answer that is taken a little at a time."""
        while not self.stopped:
            async with self._connection(secure=False, limit=2048) as streams:
                if streams is None:
                    continue
                identifier, body, expected, data = self._request("GET", 600_000)
                began = time.monotonic()
                await _send(streams[1], data)
                await asyncio.sleep(0.3)  # what makes it slow
                try:
                    async with asyncio.timeout(PATIENCE):
                        answer = await read_answer(streams[0])
                except Cut as cut:
                    outcome = "cut" if cut.begun else "lost"
                    self.fates.append(Fate("GET", identifier, body, outcome, began, time.monotonic()))
                    continue
                except TimeoutError:
                    self.wrong.append(f"GET {identifier}: no answer within {PATIENCE} s")
                    continue
                self._judge("GET", identifier, body, expected, answer, began)

    async def _echoes(self) -> None:
        """A tunnel, and the same bytes back through it until something cuts it."""
        while not self.stopped:
            async with self._connection(secure=False) as streams:
                if streams is None:
                    continue
                with suppress(asyncio.IncompleteReadError, OSError, TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        await self._echo(*streams)

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        identifier = self._identifier()
        head = f"GET /{identifier} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        await _send(writer, head.encode())
        if not (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 "):
            return
        while not self.stopped:
            sent = pattern(self._identifier(), self.chance.choice(_SIZES[1:]))
            sending = asyncio.create_task(_send(writer, sent))
            try:
                back = await reader.readexactly(len(sent))
            finally:
                sending.cancel()
            if back != sent:
                self.wrong.append(f"an echo of {len(sent)} bytes came back changed")
            self.echoes += 1


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(OSError):
        writer.write(data)
        await writer.drain()
