"""One side of a connection ends, and the other goes on: tunnels, and clients that shut their side after their request.

Clause F4.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage, ShortPaths
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, chunk, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance, Peer, Script
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import read_chunk

UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
MUCH = b"z" * 3_000_000 + b"END"
PROBED = 2.5  # seconds after which a client that shut its side was tried at least once


@dataclass(frozen=True, slots=True)
class Way:
    """How a client's bytes reach an instance."""

    instance: Instance
    door: FrontDoor
    connect: Callable[[], Client]
    end: Callable[[Client], None]


def _shut(client: Client) -> None:
    client.half_close()


def _say_close(client: Client) -> None:
    """A close_notify and nothing else: the socket stays open."""
    assert isinstance(client.sock, ssl.SSLSocket)
    patience = client.sock.gettimeout()
    client.sock.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.sock.unwrap()
    client.sock.settimeout(patience)


def _rest(client: Client) -> bytes:
    """All up to the end, which Python's `ssl` calls an error once we have said ours."""
    with contextlib.suppress(ssl.SSLZeroReturnError):
        while client.stream.fill():
            pass
    return client.stream.pending


@contextmanager
def _way(kind: str, script: Script, tmp_path: Path, authority: Authority, short: ShortPaths) -> Iterator[Way]:
    path = short() / "app.sock" if kind == "unix" else None
    with Instance(script, path=path) as instance:
        if kind in {"plain", "unix"}:
            with FrontDoor(configure(instance.address), tmp_path) as door:
                yield Way(instance, door, door.connect, _shut)
            return
        config = configure(instance.address, listen={"https": "127.0.0.1:0"}, tls=tls_config(authority.issue(HOST)))
        with FrontDoor(config, tmp_path, env={"LB_TLS": kind}) as door:
            yield Way(instance, door, lambda: door.connect_tls(authority.context()), _say_close)


WAYS = pytest.mark.parametrize("kind", ["plain", "unix", "direct", "memory"])


def _tunnel(way: Way) -> Client:
    client = way.connect()
    client.send(get("/tunnel", *UPGRADE))
    assert client.head().status == 101
    return client


@WAYS
def test_a_client_ends_and_the_answer_to_its_end_comes(
    tmp_path: Path, authority: Authority, short_paths: ShortPaths, kind: str
) -> None:
    # spec: F4: docker attach with its input at an end, and whatever counts what it was given
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING)
        size = len(peer.stream.rest())
        peer.send(b"counted %d\n" % size + MUCH)

    with _way(kind, script, tmp_path, authority, short_paths) as way, _tunnel(way) as client:
        client.send(b"x" * 1000)
        way.end(client)
        assert _rest(client) == b"counted 1000\n" + MUCH
        assert_logged(way.door, 101, None, target="/tunnel")
        wait_for(lambda: way.instance.open_connections == 0, "the tunnel's end")


@WAYS
def test_an_instance_ends_and_what_the_client_says_still_arrives(
    tmp_path: Path, authority: Authority, short_paths: ShortPaths, kind: str
) -> None:
    # spec: F4
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING + b"out")
        peer.half_close()
        got.append(peer.stream.rest())

    with _way(kind, script, tmp_path, authority, short_paths) as way, _tunnel(way) as client:
        assert client.rest() == b"out"
        for _ in range(10):
            client.send(b"y" * 100_000)
        way.end(client)
        wait_for(lambda: got, "the instance to hear the client's end")
        assert got == [b"y" * 1_000_000]
        assert_logged(way.door, 101, None, target="/tunnel")


def test_a_client_that_shut_its_side_before_the_101(stage: OpenStage) -> None:
    # spec: F4
    proceed = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        proceed.wait(20)
        peer.send(SWITCHING)
        peer.send(peer.stream.rest().upper())

    with stage(script) as on, on.connect() as client:
        client.send(get("/", *UPGRADE, host=on.host) + b"early")
        client.half_close()
        on.instance.wait_requests(1)
        proceed.set()
        assert client.head().status == 101
        assert client.rest() == b"EARLY"


def test_a_tunnel_whose_instance_has_ended_and_whose_client_is_silent_ends(tmp_path: Path) -> None:
    # spec: L4: most instances that end have closed, and a client that does not notice is not waited for
    gone = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING)
        peer.half_close()
        peer.wait_gone()
        gone.set()

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, timeouts={"read": 0.5}), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(get("/tunnel", *UPGRADE))
        assert client.head().status == 101
        assert gone.wait(10)
        assert_logged(door, 101, None, target="/tunnel")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_last_words_of_an_instance_reach_a_client_that_is_sending(
    tmp_path: Path, authority: Authority, scheme: str
) -> None:
    # spec: F4: a WebSocket's close code, while the client goes on sending; a reset would destroy it
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING)
        peer.stream.exactly(100_000)
        peer.send(b"closed: 4001")  # and ends, with much unread: the system resets the connection

    with Instance(script) as instance:
        config = configure(
            instance.address,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            tls=tls_config(authority.issue(HOST)),
        )
        with FrontDoor(config, tmp_path) as door:
            for _ in range(12):
                client = door.connect() if scheme == "http" else door.connect_tls(authority.context())
                with client:
                    client.send(get("/tunnel", *UPGRADE))
                    assert client.head().status == 101
                    client.send(b"x" * 2_000_000)
                    assert client.rest() == b"closed: 4001"
                    assert not client.stream.was_reset


@pytest.mark.parametrize("request_of", [get, lambda target, host: post(target, b"hello", host=host)])
def test_a_client_that_shut_its_side_gets_its_answer_however_long_it_takes(
    stage: OpenStage, request_of: Callable[..., bytes]
) -> None:
    # spec: F4; RFC 9112 section 9.6
    def script(peer: Peer) -> None:
        peer.request()
        threading.Event().wait(PROBED)
        peer.send(ok(b"late"))

    with stage(script) as on, on.connect() as client:
        client.send(request_of("/late", host=on.host))
        client.half_close()
        response = client.response()
        assert (response.status, response.version, response.body) == (200, b"1.1", b"late")
        assert client.rest() == b""
        assert_logged(on.door, 200, None, target="/late", host=on.host)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_so_does_it_get_an_error(tmp_path: Path, version: str) -> None:
    # spec: F4, E2
    def script(peer: Peer) -> None:
        peer.request()
        peer.wait_gone()

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, timeouts={"response": PROBED}), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(message(f"GET /late HTTP/{version}"))
        client.half_close()
        assert_error(client.response(), 504, "http_response_timeout")
        assert client.rest() == b""


def test_so_does_it_get_an_interim_response_and_a_switch(stage: OpenStage) -> None:
    # spec: F4
    def script(peer: Peer) -> None:
        peer.request()
        threading.Event().wait(PROBED)
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" + SWITCHING + b"switched")

    with stage(script) as on, on.connect() as client:
        client.send(get("/late", *UPGRADE, host=on.host))
        client.half_close()
        assert client.head().status == 102
        assert client.head().status == 101
        assert client.rest() == b"switched"


@pytest.mark.parametrize("coding", ["", "Accept-Encoding: gzip"])
def test_a_stream_to_a_client_that_shut_its_side_goes_on(stage: OpenStage, coding: str) -> None:
    # spec: F4
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
        threading.Event().wait(PROBED)
        peer.send(chunk(b"second"))
        peer.send(b"0\r\n\r\n")

    with stage(script) as on, on.connect() as client:
        client.send(get("/stream", *([coding] if coding else []), host=on.host))
        client.half_close()
        assert client.head().status == 200
        pieces = 0
        while read_chunk(client.stream):
            pieces += 1
        assert pieces == 2
        assert client.rest() == b"\r\n"  # behind the last chunk
        assert_logged(on.door, 200, None, target="/stream", host=on.host)


def test_requests_in_a_row_are_all_answered(stage: OpenStage) -> None:
    # spec: F4
    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            peer.send(ok(request.target))

    with stage(script) as on, on.connect() as client:
        client.send(b"".join(get(f"/{number}", host=on.host) for number in range(50)))
        client.half_close()
        assert [response.body for response in client.responses()] == [b"/%d" % number for number in range(50)]
