"""What comes before everything else on a Wire: a preface from the peer, and TLS that we begin."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from lb.routing.instance import pack_address
from lb.routing.instance_tls import InstanceTls, TlsClient
from lb.tls.files.self_signed import ensure_certificate
from lb.tls.handshake.contexts import Contexts
from tests.proxy.io.wires import PATIENCE, Bench, Noting, bench, connected, turns

PREFACE = b"a line that comes first\n"


class Prefaced(Noting):
    """Its preface is one line; a line that begins with "no" is none."""

    __slots__ = ("looked",)

    def preface(self, data: bytes) -> int:
        self._note("preface")
        if data.startswith(b"no"):
            self.abort()
            return 0
        return data.find(b"\n") + 1

    def introduced(self) -> None:
        self._note("introduced")


@pytest.fixture
async def on() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


def _looked_again(wire: Noting, seen: int) -> bool:
    return wire.events.count("preface") > seen


def prefaced(on: Bench) -> tuple[Prefaced, socket.socket]:
    ours, theirs = connected()
    ours.setblocking(False)
    wire = Prefaced()
    wire.attach(on.poller, ours.detach())
    wire.expect_preface()
    return wire, theirs


async def test_a_preface_in_one_piece_with_what_follows(on: Bench) -> None:
    wire, peer = prefaced(on)
    with peer:
        peer.sendall(PREFACE + b"hello")
        await wire.wait_for("received")
        assert wire.take(wire.have) == b"hello"
        assert wire.events[:3] == ["preface", "introduced", "received"]
        wire.send(b"answer")
        assert await asyncio.get_running_loop().sock_recv(peer, 100) == b"answer"
        wire.abort()


async def test_a_preface_byte_by_byte(on: Bench) -> None:
    wire, peer = prefaced(on)
    with peer:
        for index in range(len(PREFACE)):
            seen = wire.events.count("preface")
            peer.sendall(PREFACE[index : index + 1])
            await wire.wait_for(partial(_looked_again, wire, seen))
        await wire.wait_for("introduced")
        looked = wire.events.count("preface")
        await turns(20)
        assert wire.events.count("preface") == looked == len(PREFACE)  # it is not looked at while nothing has come
        peer.sendall(b"more")
        await wire.wait_for("received")
        assert wire.take(wire.have) == b"more"
        wire.abort()


async def test_an_incomplete_preface_costs_nothing_while_nothing_comes(on: Bench) -> None:
    wire, peer = prefaced(on)
    with peer:
        peer.sendall(b"half")
        await wire.wait_for("preface")
        await turns(50)
        assert wire.events == ["preface"]
        wire.abort()


@pytest.mark.parametrize("data", [b"", b"half"])
@pytest.mark.parametrize("shut", [False, True])
async def test_a_peer_that_leaves_before_it_is_whole(on: Bench, data: bytes, shut: bool) -> None:
    wire, peer = prefaced(on)
    with peer:
        peer.sendall(data)
        if data:
            await wire.wait_for("preface")
        peer.shutdown(socket.SHUT_WR) if shut else peer.close()
        await wire.wait_for("lost")
    assert wire.events.count("lost") == 1
    assert "introduced" not in wire.events


async def test_a_preface_that_is_none(on: Bench) -> None:
    wire, peer = prefaced(on)
    with peer:
        peer.sendall(b"no\n")
        await wire.wait_for("lost")
    assert wire.events == ["preface", "lost"]


async def test_nothing_is_sent_before_it(on: Bench) -> None:
    wire, peer = prefaced(on)
    with peer:
        wire.send(b"too early")
        peer.sendall(PREFACE)
        await wire.wait_for("introduced")
        wire.send(b"now")
        assert await asyncio.get_running_loop().sock_recv(peer, 100) == b"now"
        wire.abort()


async def test_tls_follows_it(on: Bench, tmp_path: Path) -> None:
    contexts = Contexts([ensure_certificate(tmp_path, ["localhost"])])
    wire, peer = prefaced(on)
    wire.start_tls(contexts)
    wire.expect_preface()
    loop = asyncio.get_running_loop()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    await loop.sock_sendall(peer, PREFACE)
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(sock=peer, ssl=client, server_hostname="localhost")
        writer.write(b"hello")
        await wire.wait_for("received")
        assert wire.take(wire.have) == b"hello"
        assert [event for event in wire.events if event != "preface"] == ["introduced", "handshaken", "received"]
        wire.send(b"answer")
        assert await reader.read(100) == b"answer"
        wire.close()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


# TLS that we begin


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA, tmp_path: Path, name: str) -> InstanceTls:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = TlsClient.of(True, tmp_path / "ca.pem", None, None)
    return InstanceTls(client, client.context(), name)


def outward(on: Bench, address: tuple[str, int], tls: InstanceTls) -> Noting:
    """A Wire on its way there; its handshake begins when it is connected."""
    wire = Noting(connected=lambda wire: wire.start_tls(tls))
    assert wire.connect(on.poller, socket.AF_INET, address, pack_address(socket.AF_INET, address)) == errno.EINPROGRESS
    return wire


async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("app.internal").configure_cert(context)
    return context


async def test_bytes_go_both_ways(on: Bench, authority: trustme.CA, tmp_path: Path) -> None:
    body = bytes(range(256)) * 2000
    tls = trusting(authority, tmp_path, "app.internal")
    async with await asyncio.start_server(repeat, "127.0.0.1", 0, ssl=server_context(authority)) as server:
        wire = outward(on, server.sockets[0].getsockname(), tls)
        await wire.wait_for("handshaken")
        came = bytearray()
        wire.on["received"] = lambda wire: came.extend(wire.take(wire.have))
        wire.send(body)
        await wire.wait_for(lambda: len(came) == len(body))
        assert came == body
        assert wire.events[:2] == ["connected", "handshaken"]
        assert wire.secured is not None
        tls.remember(wire.secured)
        wire.abort()
        again = outward(on, server.sockets[0].getsockname(), tls)
        await again.wait_for("handshaken")
        assert again.session_reused
        again.abort()


async def test_a_certificate_for_another_name(on: Bench, authority: trustme.CA, tmp_path: Path) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)  # the server's side of the refusal
    async with await asyncio.start_server(repeat, "127.0.0.1", 0, ssl=server_context(authority)) as server:
        wire = outward(on, server.sockets[0].getsockname(), trusting(authority, tmp_path, "other.internal"))
        await wire.wait_for("lost")
    assert "handshaken" not in wire.events
    assert wire.tls_failure is not None
    assert "ostname mismatch" in wire.tls_failure[0]
    assert wire.tls_failure[1] == "certificate verify failed"


async def test_a_peer_without_tls(on: Bench, authority: trustme.CA, tmp_path: Path) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        wire = outward(on, server.sockets[0].getsockname(), trusting(authority, tmp_path, "app.internal"))
        await wire.wait_for("lost")
    assert wire.tls_failure is not None
    assert wire.tls_failure[1] == "wrong version number"
