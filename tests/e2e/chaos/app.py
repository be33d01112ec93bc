"""An instance as a process of its own: `python -m tests.e2e.chaos.app PORT LOG`.

Every request that came whole is a line in LOG before a byte of its answer goes out: what it did can be told however it
ends. Targets: `/IDENTIFIER?size=N&how=length|chunked|close`, and `/health`; an Upgrade makes an echo.
"""

from __future__ import annotations

import asyncio
import os
import sys
from urllib.parse import parse_qs, urlsplit

from tests.e2e.chaos.pattern import digest, pattern

_PIECE = 8192
Fields = dict[str, str]


class App:
    """The server; `log` is a descriptor opened for appending."""

    def __init__(self, log: int) -> None:
        self._log = log

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        parts = urlsplit(target)
        identifier = parts.path[1:]
        if "upgrade" in fields:
            await self._echo(fields, reader, writer)
            return False
        if identifier == "health":
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            return False
        body = await _body(fields, reader)
        os.write(self._log, f"{method} {identifier} {digest(body)}\n".encode())
        query = parse_qs(parts.query)
        answer = pattern(identifier, int(query["size"][0])) + digest(body).encode()
        how = query["how"][0]
        await _answer(writer, answer, how)
        return how != "close"

    async def _echo(self, fields: Fields, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {fields['upgrade']}\r\n\r\n".encode()
        )
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()


async def _body(fields: Fields, reader: asyncio.StreamReader) -> bytes:
    if fields.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(fields.get("content-length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def _answer(writer: asyncio.StreamWriter, answer: bytes, how: str) -> None:
    kind = "Content-Type: application/octet-stream\r\n"
    if how == "length":
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
    elif how == "chunked":
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n\r\n".encode())
        for at in range(0, len(answer), _PIECE):
            piece = answer[at : at + _PIECE]
            writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    else:
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}Connection: close\r\nContent-Length: {len(answer)}\r\n\r\n".encode())
        writer.write(answer)
    await writer.drain()


async def main(port: int, log: str) -> None:
    app = App(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    server = await asyncio.start_server(app.serve, "127.0.0.1", port, reuse_address=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
