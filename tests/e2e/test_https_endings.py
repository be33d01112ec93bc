"""How TLS connections end: complete responses with a close_notify, truncated ones without, drains in bounded time."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import answer_and_close, echo, ok
from tests.e2e.harness.waiting import PATIENCE

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
WAYS = pytest.mark.parametrize("way", ["direct", "memory"])


@contextmanager
def door(directory: Path, authority: Authority, instance: Instance, way: str) -> Iterator[FrontDoor]:
    config = configure(
        instance.address,
        listen={"https": "127.0.0.1:0"},
        workers=1,
        tls=tls_config(authority.issue(HOST)),
    )
    with FrontDoor(config, directory, env={"LB_TLS": way}) as opened:
        yield opened


@contextmanager
def strict(
    opened: FrontDoor, authority: Authority, version: ssl.TLSVersion | None = None, receive_buffer: int = 0
) -> Iterator[ssl.SSLSocket]:
    """A client that takes an end without close_notify for what it is: a truncation."""
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(PATIENCE)
    raw.connect(("127.0.0.1", opened.https))
    context = authority.context(version=version)
    with context.wrap_socket(raw, server_hostname=HOST, suppress_ragged_eofs=False) as sock:
        yield sock


def read_all(sock: ssl.SSLSocket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


@WAYS
@VERSIONS
def test_a_complete_response_ends_with_a_close_notify(
    tmp_path: Path, authority: Authority, way: str, version: ssl.TLSVersion
) -> None:
    # spec: T1, F3
    body = bytes(range(256)) * 4096  # more than the kernel takes at once

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send(ok(body))

    with Instance(script) as instance, door(tmp_path, authority, instance, way) as opened:
        for _ in range(4):
            with strict(opened, authority, version, receive_buffer=4096) as sock:
                sock.sendall(get("/", "Connection: close"))
                assert read_all(sock).endswith(body)


@WAYS
@VERSIONS
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_truncated_response_ends_without_one(
    tmp_path: Path, authority: Authority, way: str, version: ssl.TLSVersion, framing: str
) -> None:
    # spec: F5, E1; attacks: 27
    cut = f"HTTP/1.1 200 OK\r\n{framing}\r\nCache-Control: no-transform\r\n\r\n1f4\r\n".encode() + b"x" * 500
    with (
        Instance(answer_and_close(cut)) as instance,
        door(tmp_path, authority, instance, way) as opened,
        strict(opened, authority, version) as sock,
    ):
        sock.sendall(get("/", "Connection: close"))
        with pytest.raises((ssl.SSLEOFError, ConnectionError)):
            read_all(sock)


@WAYS
@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_stands_still_does_not_hold_up_a_drain(
    tmp_path: Path, authority: Authority, way: str, begun: bytes
) -> None:
    # spec: R2, L4
    with (
        Instance(echo()) as instance,
        door(tmp_path, authority, instance, way) as opened,
        socket.create_connection(("127.0.0.1", opened.https)) as sock,
    ):
        sock.sendall(begun)
        with strict(opened, authority) as other:  # accepted after the first one
            other.sendall(get("/", "Connection: close"))
            read_all(other)
        began = time.monotonic()
        opened.signal(signal.SIGTERM)
        assert opened.wait_end() == 0
        assert time.monotonic() - began < 5


@WAYS
def test_a_handshake_that_is_done_while_draining_is_served_or_ended_soon(
    tmp_path: Path, authority: Authority, way: str
) -> None:
    # spec: R2
    with Instance(echo()) as instance, door(tmp_path, authority, instance, way) as opened:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = authority.context(version=ssl.TLSVersion.TLSv1_2).wrap_bio(incoming, outgoing, server_hostname=HOST)
        with socket.create_connection(("127.0.0.1", opened.https)) as sock:
            sock.settimeout(PATIENCE)
            with pytest.raises(ssl.SSLWantReadError):
                client.do_handshake()
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))  # half of the handshake is done
            began = time.monotonic()
            opened.signal(signal.SIGTERM)
            with pytest.raises(ssl.SSLWantReadError):
                client.do_handshake()
            sock.sendall(outgoing.read())  # the other half, and then nothing
            assert opened.wait_end() == 0
            assert time.monotonic() - began < 5
