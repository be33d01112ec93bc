"""A Wire that terminates TLS: the same bytes, as well in records that come in any pieces."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.hostile.records import update_keys
from lb.proxy.io.wire import DIRECT
from lb.tls.files.self_signed import ensure_certificate
from lb.tls.handshake.contexts import Contexts
from tests.proxy.io.wires import PATIENCE, Bench, Noting, bench, connected, read_all, turns

BLOCK = bytes(range(256)) * 64  # 16 KiB, the plain text of a whole record


@pytest.fixture
async def on() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts([ensure_certificate(tmp_path_factory.mktemp("certificates"), ["localhost"])])


class Peer:
    """The client's side of TLS over a plain socket, so that the test has the records in its hands."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    async def shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.send(self._out.read())
                await self.receive()
            else:
                await self.send(self._out.read())
                return

    def records(self, plain: bytes) -> bytes:
        self.tls.write(plain)
        return self._out.read()

    def updates(self, count: int) -> bytes:
        """Key updates, each of which asks for one in return."""
        update_keys(self.tls, count, asking=True)
        return self._out.read()

    def last_record(self) -> bytes:
        """The close_notify."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._out.read()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self.tls.read(size - len(data))
                if not piece:
                    raise EOFError
                data += piece
            except ssl.SSLWantReadError:
                await self.receive()
        return data

    async def receive(self) -> None:
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.sock, 65536), PATIENCE)
        if not data:
            raise EOFError
        self._in.write(data)


async def _secured(on: Bench, contexts: Contexts) -> tuple[Noting, Peer]:
    wire, sock = on.pair(socket.AF_INET)
    wire.start_tls(contexts)
    peer = Peer(sock)
    await peer.shake_hands()
    await wire.wait_for("handshaken")
    return wire, peer


async def test_a_conversation(on: Bench, contexts: Contexts) -> None:
    # spec: T1 T4
    wire, peer = await _secured(on, contexts)
    assert wire.secured is not None
    assert wire.secured.version() == "TLSv1.3"
    assert not wire.session_reused
    await peer.send(peer.records(b"hello"))
    await wire.wait_for("received")
    assert wire.take(wire.have) == b"hello"
    wire.send(b"answer")
    assert await peer.read(6) == b"answer"
    wire.close()
    with pytest.raises((ssl.SSLZeroReturnError, EOFError)):
        await peer.read(1)
    assert wire.events == ["handshaken", "received", "lost"]
    peer.sock.close()


@pytest.mark.parametrize("step", [16_389, 16_500, 33_000, 300_000])
async def test_records_in_pieces_behind_a_rest(on: Bench, contexts: Contexts, step: int) -> None:
    # What an incomplete record left behind comes out with all that is read next, behind a rest that was not taken.
    wire, peer = await _secured(on, contexts)
    await peer.send(peer.records(b"rest"))
    await wire.wait_for(lambda: wire.have == 4)
    cipher = b"".join(peer.records(BLOCK) for _ in range(40))
    await peer.send(cipher[:16_000])
    await turns(10)
    for at in range(16_000, len(cipher), step):
        await peer.send(cipher[at : at + step])
        await turns()
    await wire.wait_for(lambda: wire.have == 4 + 40 * len(BLOCK))
    assert wire.take(wire.have) == b"rest" + BLOCK * 40
    wire.abort()
    peer.sock.close()


async def test_a_backlog_of_records_keeps_its_order(on: Bench, contexts: Contexts) -> None:
    # spec: F3
    wire, peer = await _secured(on, contexts)
    sent = 0
    while not wire.full:
        wire.send(BLOCK)
        sent += len(BLOCK)
    wire.send(b"end")
    assert await peer.read(sent + 3) == BLOCK * (sent // len(BLOCK)) + b"end"
    await wire.wait_for(lambda: not wire.backlog())
    assert not wire.full
    wire.abort()
    peer.sock.close()


@pytest.mark.parametrize("backlog", [False, True])
async def test_one_side_ends_and_the_other_goes_on(on: Bench, contexts: Contexts, backlog: bool) -> None:
    # spec: F4: a close_notify says that no more comes; what the peer says behind it is still heard
    wire, peer = await _secured(on, contexts)
    sent = 0
    while backlog and not wire.full:
        wire.send(BLOCK)
        sent += len(BLOCK)
    wire.end()
    assert len(await peer.read(sent)) == sent
    with pytest.raises((ssl.SSLZeroReturnError, EOFError)):
        await peer.read(1)
    assert not wire.closed
    for _ in range(3):
        await peer.send(peer.records(BLOCK))
    await wire.wait_for(lambda: wire.have == 3 * len(BLOCK))
    assert wire.take(wire.have) == BLOCK * 3
    wire.close()
    assert wire.events[-1] == "lost"
    peer.sock.close()


async def test_a_peer_that_said_its_end_still_reads(on: Bench, contexts: Contexts) -> None:
    # spec: F4
    wire, peer = await _secured(on, contexts)
    await peer.send(peer.last_record())
    await wire.wait_for("ended")
    wire.send(BLOCK * 4)
    assert await peer.read(4 * len(BLOCK)) == BLOCK * 4
    wire.abort()
    peer.sock.close()


class Elsewhere:
    """Sides whose pointers are not where they are expected, as with an unknown layout."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self.asked = 0

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> Any:
        self.asked += 1
        side: Any = self._contexts.wrap(incoming, outgoing)
        if incoming is outgoing:  # for what OpenSSL does on the socket itself
            return SimpleNamespace(_sslobj=side._sslobj, context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        return side


async def test_an_unknown_layout_means_tls_in_memory(on: Bench, contexts: Contexts) -> None:
    wire, sock = on.pair(socket.AF_INET)
    elsewhere = Elsewhere(contexts)
    wire.start_tls(elsewhere)
    assert elsewhere.asked == 1 + DIRECT
    peer = Peer(sock)
    await peer.shake_hands()
    await wire.wait_for("handshaken")
    wire.send(b"all the same")
    assert await peer.read(12) == b"all the same"
    wire.abort()
    sock.close()


async def test_what_is_no_handshake_ends_the_connection(on: Bench, contexts: Contexts) -> None:
    wire, sock = on.pair(socket.AF_INET)
    wire.start_tls(contexts)
    wire.send(b"never in plain text")
    sock.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await wire.wait_for("lost")
    assert wire.events == ["unsecured", "lost"]
    with contextlib.suppress(ConnectionResetError):  # from 3.2 on OpenSSL leaves what follows five bytes unread
        assert b"never" not in sock.recv(1000)
    sock.close()


async def test_http_in_plain_text_is_told_of_and_is_read(on: Bench, contexts: Contexts) -> None:
    wire, sock = on.pair(socket.AF_INET, unsecured=lambda _: None)
    wire.start_tls(contexts)
    await turns(5)
    sock.send(b"GET / HTTP/1.1\r\n")
    await wire.wait_for("received")
    assert wire.events == ["unsecured", "received"]
    assert wire.take(wire.have) == b"GET / HTTP/1.1\r\n"
    assert wire.secured is None
    wire.send(b"in words")
    assert sock.recv(100) == b"in words"
    wire.abort()
    sock.close()


@pytest.mark.long
@pytest.mark.parametrize("way", ["direct", "memory"])
async def test_the_last_word_waits_for_room(
    on: Bench, contexts: Contexts, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: T4; without close_notify a client must take what it has for cut off
    if way == "memory" and DIRECT:
        monkeypatch.setattr(importlib.import_module("lb.proxy.io.direct_tls"), "DIRECT", False)
    ours, theirs = connected()
    with ours.dup() as filling:
        wire = on.wire(ours)
        wire.start_tls(contexts)
        peer = Peer(theirs)
        await peer.shake_hands()
        await wire.wait_for("handshaken")
        with contextlib.suppress(BlockingIOError):
            while True:
                filling.send(b"x")
    wire.close()
    wire.send(b"never in plain text")
    assert not wire.closed
    said = await read_all(theirs)
    assert said[-24:-19] == bytes((23, 3, 3, 0, 19)), "encrypted as all records are"
    await wire.wait_for("lost")
    theirs.close()


async def _read_on(peer: Peer) -> None:
    while True:
        await peer.receive()


@pytest.mark.parametrize("way", ["direct", "memory"])
async def test_answers_to_key_updates_wait_for_a_peer_that_reads(
    on: Bench, contexts: Contexts, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: F3; as much data as updates, so that the peer is borne, and none of the answers is read
    if way == "memory" and DIRECT:
        monkeypatch.setattr(importlib.import_module("lb.proxy.io.direct_tls"), "DIRECT", False)
    ours, theirs = connected()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    wire = on.wire(ours)
    wire.start_tls(contexts)
    peer = Peer(theirs)
    await peer.shake_hands()
    await wire.wait_for("handshaken")
    pairs = 30_000
    cipher = b"".join(peer.updates(1) + peer.records(b"x") for _ in range(pairs))
    sending = asyncio.ensure_future(peer.send(cipher))
    most = 0
    last = -1
    while wire.have != last:  # as long as it is read
        last = wire.have
        await turns(200)
        most = max(most, wire.backlog())
    assert most < 65_536, "the answers of a few turns, and not all"
    assert wire.have < pairs
    reading = asyncio.ensure_future(_read_on(peer))
    await wire.wait_for(lambda: wire.have == pairs)
    await sending
    reading.cancel()
    assert wire.take(wire.have) == b"x" * pairs
    wire.abort()
    peer.sock.close()


@pytest.mark.parametrize("way", ["direct", "memory"])
async def test_too_many_records_without_data_end_the_connection(
    on: Bench, contexts: Contexts, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "memory" and DIRECT:
        monkeypatch.setattr(importlib.import_module("lb.proxy.io.direct_tls"), "DIRECT", False)
    wire, peer = await _secured(on, contexts)
    borne = 0
    while not wire.closed and borne < 100:
        borne += 1
        await peer.send(peer.updates(30) + peer.records(b"x"))
        await turns(20)
    await wire.wait_for("lost")
    assert 10 < borne < 40, "a byte of data makes up for itself and one more"
    assert wire.events[-2:] == ["flooded", "lost"]
    peer.sock.close()


async def test_a_client_that_leaves_within_the_handshake(on: Bench, contexts: Contexts, tmp_path: Path) -> None:
    wire, sock = on.pair(socket.AF_INET)
    wire.start_tls(contexts)
    sock.send(b"\x16\x03\x01")
    await turns()
    sock.close()
    await wire.wait_for(lambda: wire.closed or "ended" in wire.events)
    assert "received" not in wire.events
    wire.abort()
    assert wire.events[-1] == "lost"
