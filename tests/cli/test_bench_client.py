"""The own load generator: it asks in the right way, and counts what comes (framing is in `tests/benchmarks`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from lb.cli.bench_client import _door_of, generate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], asked


async def test_it_asks_as_often_as_it_counts() -> None:
    passed: list[float] = []
    async with answering(OK) as (port, asked):
        target = urlsplit(f"http://127.0.0.1:{port}/a?b=c")
        figures = await generate(target, 2, 0.15, passed.append)
    assert 0 < figures.requests <= len(asked) <= figures.requests + 2
    assert asked[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert figures.bytes_in >= figures.requests * 2
    assert figures.failed == 0
    assert passed


async def test_nobody_there_is_an_error_of_connecting() -> None:
    figures = await generate(urlsplit("http://127.0.0.1:1/"), 1, 0.1, lambda _: None)
    assert (figures.requests, set(figures.errors)) == (0, {"connect"})


def test_names_under_localhost_need_no_resolver() -> None:
    door = _door_of(urlsplit("https://user@shop.localhost/"))
    assert (door.host, door.port, door.name) == ("127.0.0.1", 443, "shop.localhost")
    assert door.tls is not None
    assert b"\r\nHost: shop.localhost\r\n" in door.request
