"""Connections for checks: what comes first on them, TLS, and the other address of localhost."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from lb.health.connection import PLAIN, CheckConnection, Reach
from lb.routing.instance_tls import TlsClient


async def repeating(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back the first line, and ends."""
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def told(reach: Reach, family: int, address: tuple[str, int]) -> bytes:
    connection = CheckConnection(reach)
    with closing(connection):
        await connection.connect(family, address)
        await connection.send(b"ask\n")
        data = b""
        while piece := await connection.receive():
            data += piece
        return data


async def test_what_comes_first() -> None:
    async with await asyncio.start_server(repeating, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()[:2]
        assert await told(PLAIN, socket.AF_INET, address) == b"ask\n"
        assert await told(Reach(greeting=b"PROXY UNKNOWN\r\n"), socket.AF_INET, address) == b"PROXY UNKNOWN\r\n"


async def test_the_other_address_is_tried() -> None:
    async with await asyncio.start_server(repeating, "::1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reach = Reach(alternate=(socket.AF_INET6, ("::1", port)))
        assert await told(reach, socket.AF_INET, ("127.0.0.1", port)) == b"ask\n"
        with pytest.raises(ConnectionRefusedError):
            await told(PLAIN, socket.AF_INET, ("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError):
        await told(reach, socket.AF_INET, ("127.0.0.1", port))


async def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("app.internal").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = TlsClient.of(True, tmp_path / "ca.pem", None, None)
    async with await asyncio.start_server(repeating, "127.0.0.1", 0, ssl=context) as server:
        address = server.sockets[0].getsockname()[:2]
        assert await told(Reach(tls=client, server_name="app.internal"), socket.AF_INET, address) == b"ask\n"
        with pytest.raises(ssl.SSLCertVerificationError):
            await told(Reach(tls=client, server_name="other.internal"), socket.AF_INET, address)
    async with await asyncio.start_server(repeating, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()[:2]
        with pytest.raises(ssl.SSLError):
            await told(Reach(tls=client, server_name="app.internal"), socket.AF_INET, address)


async def test_a_server_that_leaves_during_the_handshake(tmp_path: Path) -> None:
    async def leaving(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    client = TlsClient.of(False, None, None, None)
    async with await asyncio.start_server(leaving, "127.0.0.1", 0) as server:
        with pytest.raises(OSError):
            await told(Reach(tls=client, server_name="a"), socket.AF_INET, server.sockets[0].getsockname()[:2])
