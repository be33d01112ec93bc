"""One GET on a connection of its own, to a Unix socket or a port: status, Location, the beginning of the body.

No more of HTTP than a health check needs; a redirect is not followed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

_LARGEST = 16 << 10  # bytes that are read of an answer


@dataclass(frozen=True, slots=True)
class StartQuestion:
    """What is asked where: `endpoint` as `unix:/…/sock` or `127.0.0.1:21003`; `fields` stand beside the usual ones."""

    endpoint: str
    uri: str
    host: str
    proto: str
    timeout: float
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """`status` is 0 if there was none; `problem` says why, and `connected` whether something listened at all."""

    status: int = 0
    location: str = ""
    body: str = ""
    problem: str = ""
    connected: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


async def ask(question: StartQuestion) -> StartAnswer:
    """Asks once. Never raises."""
    connected = False
    try:
        async with asyncio.timeout(question.timeout):
            reader, writer = await _connect(question.endpoint)
            connected = True
            try:
                writer.write(_request(question))
                return _parse(await _read(reader))
            finally:
                writer.close()
    except TimeoutError:
        return StartAnswer(problem=f"no answer within {question.timeout:g} s", connected=connected)
    except (OSError, ValueError) as error:
        return StartAnswer(problem=str(error) or type(error).__name__, connected=connected)


async def _connect(endpoint: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if endpoint.startswith("unix:"):
        return await asyncio.open_unix_connection(endpoint.removeprefix("unix:"))
    host, _, port = endpoint.rpartition(":")
    try:
        return await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return await asyncio.open_connection("::1", int(port))  # an app may listen on `localhost`, and that be IPv6


def _request(question: StartQuestion) -> bytes:
    lines = (
        f"GET {question.uri} HTTP/1.1",
        f"Host: {question.host}",
        f"X-Forwarded-Proto: {question.proto}",
        "X-Real-IP: 127.0.0.1",
        "User-Agent: lb-start-check",
        "Accept: */*",
        "Connection: close",
        *(f"{name}: {value}" for name, value in question.fields),
    )
    return "\r\n".join((*lines, "", "")).encode()


async def _read(reader: asyncio.StreamReader) -> bytes:
    data = b""
    while len(data) < _LARGEST:
        piece = await reader.read(_LARGEST - len(data))
        if not piece:
            break
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        if end and (b"\r\ncontent-length: 0" in head.lower() or len(body) >= 1024 or data[9:10] == b"2"):
            break  # the status is known, and the body would say no more
    return data


def _parse(data: bytes) -> StartAnswer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if not first.startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise ValueError("its answer is not HTTP" if data else "it closed the connection without an answer")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return StartAnswer(int(words[1]), fields.get("location", ""), body.decode("utf-8", "replace"), connected=True)
