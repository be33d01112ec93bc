"""A Wire whose TLS handshake stands still at the client hello, until it is told to go on."""

from __future__ import annotations

import asyncio
import importlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest

from lb.config.model import CertificateFiles
from lb.proxy.io.wire import DIRECT
from lb.tls.files.self_signed import ensure_certificate
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import HandshakePolicy
from tests.proxy.io.wires import Bench, Noting, bench, read_all, turns

NAME = "new.localhost"
ALERT = bytes((21, 3, 3, 0, 2, 2, 112))  # fatal, unrecognized_name
WAYS = pytest.mark.parametrize("way", ["direct", "memory"])
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture
async def on() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    return ensure_certificate(tmp_path_factory.mktemp("certificates"), [NAME])


class Setup:
    """Contexts without a certificate for the name, which may get one; wires that hold, and their clients."""

    def __init__(self, on: Bench, files: CertificateFiles, version: ssl.TLSVersion | None = None) -> None:
        self.on = on
        self.files = files
        self.contexts = Contexts((), HandshakePolicy(demanded=frozenset({"*.localhost"})))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        if version is not None:
            self.context.minimum_version = self.context.maximum_version = version

    def open(self) -> tuple[Noting, socket.socket, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        wire, sock = self.on.pair(socket.AF_INET)
        wire.start_tls(self.contexts)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(incoming, outgoing, server_hostname=NAME)
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        return wire, sock, client, incoming, outgoing

    async def held(self) -> tuple[Noting, socket.socket, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        """The same when the client hello has been sent and the handshake stands still."""
        made = self.open()
        wire, sock, _, _, outgoing = made
        sock.send(outgoing.read())
        await wire.wait_for("suspended")
        assert wire.on_hold
        return made

    def switch(self) -> None:
        self.contexts.switch(self.contexts.prepare([self.files]))


@WAYS
@VERSIONS
async def test_it_goes_on_when_there_is_a_certificate(
    on: Bench, files: CertificateFiles, way: str, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: T5
    _take(way, monkeypatch)
    setup = Setup(on, files, version)
    wire, sock, client, incoming, outgoing = await setup.held()
    await turns()
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    setup.switch()
    wire.go_on()
    done = False
    while not done:
        incoming.write(await asyncio.get_running_loop().sock_recv(sock, 65536))
        try:
            client.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        sock.send(outgoing.read())
    await wire.wait_for("handshaken")
    assert wire.events == ["suspended", "handshaken"]
    assert wire.secured is not None
    client.write(b"hello")
    sock.send(outgoing.read())
    await wire.wait_for("received")
    assert wire.take(5) == b"hello"
    wire.abort()
    sock.close()


@WAYS
async def test_it_may_be_held_once_more(
    on: Bench, files: CertificateFiles, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(way, monkeypatch)
    setup = Setup(on, files)
    wire, sock, *_ = await setup.held()
    wire.events.clear()
    wire.go_on()
    await wire.wait_for("suspended")
    setup.switch()
    wire.go_on()
    assert (await asyncio.get_running_loop().sock_recv(sock, 1)) == b"\x16"
    wire.abort()
    sock.close()


@WAYS
async def test_a_refusal_is_an_alert(
    on: Bench, files: CertificateFiles, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(way, monkeypatch)
    wire, sock, client, incoming, _ = await Setup(on, files).held()
    wire.refuse_handshake()
    assert wire.events == ["suspended", "lost"]
    assert await read_all(sock) == ALERT
    incoming.write(ALERT)
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        client.do_handshake()
    wire.refuse_handshake()
    wire.go_on()
    sock.close()


@WAYS
@pytest.mark.parametrize("leaves", ["closes", "resets", "half-closes", "closes at once"])
async def test_a_client_that_leaves_is_noticed(
    on: Bench, files: CertificateFiles, way: str, leaves: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(way, monkeypatch)
    if leaves == "closes at once":
        wire, sock, _, _, outgoing = Setup(on, files).open()
        sock.send(outgoing.read())
        sock.close()
    else:
        wire, sock, *_ = await Setup(on, files).held()
        if leaves == "half-closes":
            sock.shutdown(socket.SHUT_WR)
        else:
            if leaves == "resets":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
    await wire.wait_for("lost")
    assert wire.events in (["suspended", "lost"], ["lost"])
    wire.go_on()
    await turns()
    assert wire.closed
    sock.close()


@WAYS
@pytest.mark.parametrize("said", [b"\x16\x03\x03\x00\x01x", b"x" * 1_000_000])
async def test_what_is_said_meanwhile_is_not_read(
    on: Bench, files: CertificateFiles, way: str, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(way, monkeypatch)
    wire, sock, *_ = await Setup(on, files).held()
    taken = sock.send(said)
    await turns(10)
    assert wire.events == ["suspended"]
    assert not wire.closed
    if taken < len(said):
        with pytest.raises(BlockingIOError):  # it stays in the system's queue, which has a bound
            sock.send(said)
    wire.go_on()
    wire.abort()
    sock.close()


def _take(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let OpenSSL be spoken with in this way, where there are two."""
    if way == "memory" and DIRECT:
        monkeypatch.setattr(importlib.import_module("lb.proxy.io.direct_tls"), "DIRECT", False)
