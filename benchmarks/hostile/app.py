"""The instance behind the front door under attack: small answers at once, and a large one at /large."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

_SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
_LARGE_BYTES = 16 << 20
_PIECE = bytes(1 << 16)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    await reader.readexactly(int(line.partition(b":")[2]))
                elif line.startswith(b"transfer-encoding:"):
                    await reader.readuntil(b"\r\n0\r\n\r\n")
            if head.startswith(b"GET /large "):
                writer.write(_LARGE % _LARGE_BYTES)
                for _ in range(_LARGE_BYTES // len(_PIECE)):
                    writer.write(_PIECE)
                    await writer.drain()
            else:
                writer.write(_SMALL)
    writer.close()


async def _serve(pipe: Connection) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=1 << 26, backlog=4096)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


@contextmanager
def running_app() -> Iterator[str]:
    """Run it in a process of its own; yields its address for a configuration."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(_serve(there)), daemon=True)
    process.start()
    try:
        if not here.poll(30):
            raise RuntimeError("the instance did not start")
        yield f"127.0.0.1:{here.recv()}"
    finally:
        process.kill()
        process.join()
