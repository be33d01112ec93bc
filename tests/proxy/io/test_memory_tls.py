"""TLS between bytes and bytes: a handshake, data, an orderly end, and what breaks it."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest
import trustme

from lb.proxy.io.memory_tls import REFUSAL, MemoryTls
from tests.tls.certificate_files import issue

MOST = 1 << 20  # bytes that one turn takes: all that a test sends


class Contexts:
    """Makes the server's side."""

    def __init__(self, directory: Path) -> None:
        files = issue(trustme.CA(), directory, "a.example")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.cert, files.key)

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        return self._context.wrap_bio(incoming, outgoing, server_side=True)


class TlsClient:
    """The other side, in memory too."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)

    def shake(self, server: MemoryTls) -> None:
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            if self.outgoing.pending:
                server.feed(self.outgoing.read(), MOST)
            self.incoming.write(server.outgoing())
        assert server.established


@pytest.fixture
def server(tmp_path: Path) -> MemoryTls:
    return MemoryTls(Contexts(tmp_path))


@pytest.fixture
def client(server: MemoryTls) -> TlsClient:
    made = TlsClient()
    made.shake(server)
    return made


# spec: T4
def test_data_goes_both_ways(server: MemoryTls, client: TlsClient) -> None:
    client.tls.write(b"x" * 100_000)
    assert server.feed(client.outgoing.read(), MOST) == b"x" * 100_000
    client.incoming.write(server.encrypt(b"y" * 50_000))
    found = b""
    while len(found) < 50_000:
        found += client.tls.read()
    assert found == b"y" * 50_000
    assert [server.ended, server.failed, server.held] == [False, False, False]


# spec: T4
def test_an_orderly_end(server: MemoryTls, client: TlsClient) -> None:
    client.incoming.write(server.shutdown())
    assert client.tls.read() == b""  # the other side has said that it is done
    client.tls.unwrap()
    server.feed(client.outgoing.read(), MOST)
    assert server.ended
    assert not server.failed


# spec: T4
def test_an_end_without_a_word_is_one_too(server: MemoryTls, client: TlsClient) -> None:
    client.tls.write(b"half")
    assert server.feed(client.outgoing.read(), MOST) == b"half"
    server.feed(b"", MOST)
    assert server.ended
    assert not server.failed


def test_what_is_no_tls_fails_with_an_alert(server: MemoryTls) -> None:
    assert server.feed(b"GET / HTTP/1.1\r\n\r\n", MOST) == b""
    assert server.failed
    assert not server.held


def test_a_handshake_byte_by_byte_is_a_handshake(server: MemoryTls) -> None:
    client = TlsClient()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    hello = client.outgoing.read()
    for at in range(len(hello)):
        assert not server.established
        server.feed(hello[at : at + 1], MOST)
    client.incoming.write(server.outgoing())
    client.tls.do_handshake()
    server.feed(client.outgoing.read(), MOST)
    assert server.established


def test_the_refusal_is_an_alert() -> None:
    incoming = ssl.MemoryBIO()
    client = TlsClient()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.incoming.write(REFUSAL)
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        client.tls.do_handshake()
    assert incoming.pending == 0
