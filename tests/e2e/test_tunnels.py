"""`Upgrade`: WebSocket with a real library, and everything that must not become a tunnel. Clause F4, attack 30."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.sync.server import Server, ServerConnection, serve

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import chunk, get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Peer, address_text, reserve
from tests.e2e.harness.scripts import Echo, answer, echo, ok
from tests.e2e.harness.waiting import wait_for

UPGRADE = ("Connection: Upgrade", "Upgrade: custom/1")
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: custom/1\r\n\r\n"


def _echo_frames(connection: ServerConnection) -> None:
    for data in connection:
        connection.send(data)


@contextmanager
def _websocket_server() -> Iterator[str]:
    sock = reserve()
    sock.listen()
    server: Server = serve(_echo_frames, sock=sock, max_size=None)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield address_text(sock)
    finally:
        server.shutdown()
        thread.join(10)


def test_websocket(tmp_path: Path, authority: Authority) -> None:
    # spec: F4
    with _websocket_server() as address:
        config = configure(
            address,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            tls=tls_config(authority.issue("shop.example.com")),
            timeouts={"idle": 0.5, "head": 0.5},
        )
        with FrontDoor(config, tmp_path) as door:
            for scheme, port in (("ws", door.http), ("wss", door.https)):
                with (
                    socket.create_connection(("127.0.0.1", port)) as sock,
                    connect(
                        f"{scheme}://shop.example.com/chat",
                        sock=sock,
                        ssl=authority.context() if scheme == "wss" else None,
                        max_size=None,
                        compression=None,
                    ) as client,
                ):
                    for data in ("hello", "caf\xe9", b"\x00\xff" * 10, b"x" * 3_000_000):
                        client.send(data)
                        assert client.recv(20) == data
                    for number in range(200):
                        client.send(str(number))
                    assert [client.recv(20) for _ in range(200)] == [str(number) for number in range(200)]
                assert_logged(door, 101, None, target="/chat", scheme="https" if scheme == "wss" else "http")


def _switch(peer: Peer) -> None:
    peer.request()
    peer.send(SWITCHING)
    while data := peer.stream.some():
        peer.send(data.upper())


@pytest.mark.parametrize("way", ["whole", "bytewise"])
def test_bytes_pass_both_ways_after_101(stage: OpenStage, way: str) -> None:
    # spec: F4
    with stage(_switch) as on, on.connect() as client:
        client.send_as(way, get("/", *UPGRADE, host=on.host))
        head = client.head()
        assert head.status == 101
        assert head.one("upgrade") == b"custom/1"
        assert head.one("connection").lower() == b"upgrade"
        for data in (b"raw bytes", b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff"):
            client.send(data)
            assert client.stream.exactly(len(data)) == data.upper()
        seen = on.instance.requests[0]
        assert (seen.one("upgrade"), seen.one("connection").lower()) == (b"custom/1", b"upgrade")


def test_what_comes_behind_101_in_one_packet_belongs_to_the_tunnel(stage: OpenStage) -> None:
    # spec: F4
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING + b"first from the instance")
        peer.send(peer.stream.exactly(5).upper())

    with stage(script) as on, on.connect() as client:
        client.send(get("/", *UPGRADE, host=on.host))
        assert client.head().status == 101
        assert client.stream.exactly(23) == b"first from the instance"
        client.send(b"hello")
        assert client.rest() == b"HELLO"


def test_what_a_client_says_before_the_101_belongs_to_the_tunnel(stage: OpenStage) -> None:
    # spec: F4
    with stage(_switch) as on, on.connect() as client:
        client.send(get("/", *UPGRADE, host=on.host) + b"early")
        assert client.head().status == 101
        assert client.stream.exactly(5) == b"EARLY"


@pytest.mark.parametrize("side", ["client", "instance", "instance, by a reset"])
def test_an_end_on_one_side_ends_the_tunnel(stage: OpenStage, side: str) -> None:
    # spec: F4
    done = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING)
        if side == "client":
            assert peer.stream.rest() == b"last words"
            done.set()
        elif side != "instance":
            peer.stream.exactly(5)
            peer.reset()

    with stage(script) as on, on.connect() as client:
        client.send(get("/", *UPGRADE, host=on.host))
        assert client.head().status == 101
        if side == "client":
            client.send(b"last words")
            client.close()
            assert done.wait(10)
        else:
            client.send(b"hello")
            assert client.rest() == b""
        wait_for(lambda: on.instance.open_connections == 0, "the tunnel's end")


def test_an_upgrade_that_the_instance_declines_is_an_ordinary_exchange(stage: OpenStage) -> None:
    # spec: F4; attack 30, RFC 9931: what the client may have sent already is not read as a request
    with stage(echo()) as on, on.connect() as client:
        client.send(get("/first", *UPGRADE, host=on.host))
        response = client.response()
        assert b'"/first"' in response.body
        assert response.one("connection").lower() == b"close"
        assert client.rest() == b""


def test_a_request_behind_an_upgrade_that_is_declined_is_not_sent(stage: OpenStage) -> None:
    # spec: F4; attack 30, RFC 9931
    proceed = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        proceed.wait(20)
        peer.send(ok(b"declined"))
        peer.wait_gone()

    with stage(script) as on, on.connect() as client:
        client.send(get("/first", *UPGRADE, host=on.host) + get("/second", host=on.host))
        on.instance.wait_requests(1)
        assert b"/second" not in on.instance.seen
        proceed.set()
        response = client.response()
        assert response.body == b"declined"
        assert response.one("connection").lower() == b"close"
        assert client.rest() == b""
        assert b"/second" not in on.instance.seen


def test_a_101_that_nobody_asked_for(stage: OpenStage) -> None:
    # spec: F5; attack 30
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING + ok(b"smuggled"))
        peer.wait_gone()

    with stage(script) as on, on.connect() as client:
        client.send(get("/unasked", host=on.host))
        assert_error(client.response(), 502, "http_upgrade_failed", "http_protocol_error")
        wait_for(lambda: on.instance.open_connections == 0, "the instance's connection to be closed")


def test_a_101_to_another_protocol(stage: OpenStage) -> None:
    # spec: F5; RFC 9110 section 7.8
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING.replace(b"custom/1", b"other"))
        peer.wait_gone()

    with stage(script) as on:
        response = on.door.ask(get("/", *UPGRADE, host=on.host))
        assert_error(response, 502, "http_upgrade_failed", "http_protocol_error")


@pytest.mark.parametrize(
    "lines",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
        ("Connection: upgrade", "Upgrade: H2C"),
        ("Connection: upgrade", "Upgrade: h2c, websocket"),
        ("Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c"),
    ],
)
def test_h2c_is_never_forwarded(stage: OpenStage, lines: tuple[str, ...]) -> None:
    # spec: F5; attack 30
    with stage(echo()) as on, on.connect() as client:
        client.send_quietly(get("/", *lines, host=on.host))
        client.half_close()
        client.rest()
        assert b"h2c" not in on.instance.seen.lower()
        assert b"http2-settings" not in on.instance.seen.lower()


def test_upgrade_without_connection_is_dropped(stage: OpenStage) -> None:
    # spec: H4; RFC 9110 section 7.8
    with stage(echo()) as on, on.connect() as client:
        client.ask(get("/", "Upgrade: custom/1", host=on.host))
        assert not on.instance.requests[0].has("upgrade")


def test_an_upgrade_in_http_1_0_is_ignored(stage: OpenStage) -> None:
    # spec: F4; RFC 9110 section 7.8
    with stage(echo()) as on:
        assert on.door.ask(message("GET / HTTP/1.0", *UPGRADE, host=on.host)).status == 200
        assert not on.instance.requests[0].has("upgrade")


@pytest.mark.parametrize(
    ("line", "body"), [("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", chunk(b"hello") + b"0\r\n\r\n")]
)
@pytest.mark.parametrize("way", ["whole", "bytewise"])
def test_an_upgrade_behind_a_body(stage: OpenStage, line: str, body: bytes, way: str) -> None:
    # spec: F4; docker exec: the body is a body, and what follows belongs to the tunnel
    with stage(_switch) as on, on.connect() as client:
        client.send_as(way, message("POST /", *UPGRADE, line, host=on.host, body=body) + b"early")
        assert client.head().status == 101
        assert client.stream.exactly(5) == b"EARLY"
        client.send(b"and on")
        assert client.stream.exactly(6) == b"AND ON"
    seen = on.instance.requests[0]
    assert (seen.body, seen.one("upgrade"), seen.one("connection").lower()) == (b"hello", b"custom/1", b"upgrade")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_an_upgrade_by_any_method(stage: OpenStage, method: str) -> None:
    # spec: F4; RFC 9110 section 7.8 binds it to none: kubectl and docker use POST
    with stage(_switch) as on, on.connect() as client:
        client.send(message(f"{method} /", *UPGRADE, "Content-Length: 0", host=on.host))
        assert client.head().status == 101
        client.send(b"hello")
        assert client.stream.exactly(5) == b"HELLO"


@pytest.mark.parametrize("line", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_101_before_the_whole_request(stage: OpenStage, line: str) -> None:
    # spec: F5; RFC 9110 section 7.8: nobody could say where the body ends and the other protocol begins
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCHING)
        peer.wait_gone()

    with stage(script) as on, on.connect() as client:
        client.send(message("POST /half", *UPGRADE, line, host=on.host, body=b"5\r\nhe"))
        assert_error(client.response(), 502, "http_upgrade_failed")
        client.send_quietly(get("/smuggled", host=on.host))
        assert client.rest() == b""
        assert b"/smuggled" not in on.instance.seen


@pytest.mark.parametrize(
    ("line", "body"), [("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", chunk(b"hello") + b"0\r\n\r\n")]
)
def test_an_upgrade_behind_a_body_that_is_declined(stage: OpenStage, line: str, body: bytes) -> None:
    # spec: F4; attack 30, RFC 9931
    with stage(echo()) as on, on.connect() as client:
        client.send(message("POST /", *UPGRADE, line, host=on.host, body=body) + get("/second", host=on.host))
        response = client.response()
        assert Echo(response).seen["length"] == 5
        assert response.one("connection").lower() == b"close"
        assert client.rest() == b""
        assert b"/second" not in on.instance.seen


def test_upgrade_required_names_the_upgrade(stage: OpenStage) -> None:
    # spec: F4; RFC 9110 section 15.5.22
    data = ok(b"upgrade", "Upgrade: HTTP/3.0, custom/1", "Connection: Upgrade", status="426 Upgrade Required")
    with stage(answer(data)) as on, on.connect() as client:
        for _ in range(2):
            response = client.ask(get("/", host=on.host))
            assert (response.status, response.one("upgrade")) == (426, b"HTTP/3.0, custom/1")
            assert response.one("connection").lower() == b"upgrade"
        response = client.ask(get("/", "Connection: close", host=on.host))
        assert [value.lower() for value in response.all("connection")] == [b"upgrade", b"close"]


def test_other_responses_name_no_upgrade(stage: OpenStage) -> None:
    # spec: H4
    with stage(answer(ok(b"ok", "Upgrade: h2,h2c", "Connection: Upgrade"))) as on:
        assert not on.door.ask(get("/", host=on.host)).has("upgrade")


def test_connect_is_refused(stage: OpenStage) -> None:
    # spec: F4; contract of the project: there is no tunnel to anywhere
    with stage(echo()) as on:
        for target in (f"{on.host}:80", "127.0.0.1:22", "/"):
            with on.connect() as client:
                client.send(message(f"CONNECT {target}", host=on.host))
                assert_error(client.response(), 501, "method_not_supported")
        assert on.instance.connections == 0
