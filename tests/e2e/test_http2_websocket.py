"""WebSocket over HTTP/2: extended CONNECT (RFC 8441) becomes an upgrade at the instance, which sees HTTP/1.1."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha1

import pytest

from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2 import HOST, Http2Client, Stream
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for

ENABLE_CONNECT_PROTOCOL = 8
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def script(peer: Peer) -> None:
    """Echoes what comes after an upgrade; `/wrong` has another key in mind, `/no` does not switch."""
    while True:
        request = peer.request()
        if request.target == b"/no":
            peer.send(ok(b"no"))
            continue
        if request.target == b"/forbidden":
            peer.send(ok(b"forbidden", status="403 Forbidden"))
            continue
        key = request.one("Sec-WebSocket-Key") if request.target != b"/wrong" else b"another"
        assert request.one("Upgrade") == b"websocket"
        accept = b64encode(sha1(key + GUID, usedforsecurity=False).digest())
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        while data := peer.stream.some():
            peer.send(data)
            if data.endswith(b"bye"):
                return


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    with Instance(script) as instance:
        config = configure(instance.address, listen={"http": "127.0.0.1:0", "h2c": True})
        with FrontDoor(config, tmp_path_factory.mktemp("door")) as running:
            yield running


@pytest.fixture
def client(door: FrontDoor) -> Iterator[Http2Client]:
    with Http2Client(("127.0.0.1", door.http)) as connected:
        connected.read_until(lambda: connected.settings)
        yield connected


def connect(client: Http2Client, path: str, protocol: str = "websocket", *more: tuple[str, str]) -> Stream:
    fields = [
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "http"),
        (":path", path),
        (":authority", HOST),
    ]
    fields += [
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
        ("origin", "http://a.example"),
        *more,
    ]
    return client.begin(fields, ended=False)


def test_it_is_offered(client: Http2Client) -> None:
    assert client.settings[ENABLE_CONNECT_PROTOCOL] == 1


def test_a_key_of_the_client_does_not_count(client: Http2Client) -> None:
    stream = connect(
        client, "/own-key", "websocket", ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("accept", "a/b")
    )
    client.read_until(lambda: stream.fields)
    assert stream.status == 200


def test_bytes_pass_both_ways(client: Http2Client, door: FrontDoor) -> None:
    stream = connect(client, "/chat")
    client.read_until(lambda: stream.fields)
    assert stream.status == 200
    assert stream.fields["sec-websocket-protocol"] == "chat"
    assert not {"sec-websocket-accept", "upgrade", "connection"} & set(stream.fields)
    for data in (b"one", b"two", b"x" * 200_000):
        stream.body.clear()
        client.send(stream, data, ended=False)
        client.read_until(lambda data=data: len(stream.body) == len(data))  # type: ignore[misc]
        assert bytes(stream.body) == data
    assert client.ask("/no").status == 200  # beside it
    client.send(stream, b"", ended=True)
    client.finish(stream)
    assert stream.ended
    entry = door.wait_log(target="/chat")
    assert (entry["status"], entry["bytes_sent"], entry["protocol"]) == (101, 200_006, "HTTP/2")


def test_what_comes_before_the_instance_has_agreed(client: Http2Client) -> None:
    stream = connect(client, "/early")
    client.send(stream, b"early", ended=False)
    client.read_until(lambda: bytes(stream.body) == b"early")


def test_the_instance_ends_it(client: Http2Client) -> None:
    stream = connect(client, "/chat")
    client.send(stream, b"good bye", ended=False)
    client.read_until(lambda: stream.ended)
    assert bytes(stream.body) == b"good bye"
    assert client.ask("/no").status == 200


def test_the_client_resets_it(client: Http2Client, door: FrontDoor) -> None:
    stream = connect(client, "/reset")
    client.read_until(lambda: stream.fields)
    client.h2.reset_stream(stream.number, 8)
    client.flush()
    assert door.wait_log(target="/reset")["status"] == 101


def test_an_instance_that_refuses(client: Http2Client) -> None:
    stream = connect(client, "/forbidden")
    client.finish(stream)
    assert stream.status == 403


def test_an_instance_that_does_not_switch(client: Http2Client) -> None:
    """A 200 would tell the client that it did."""
    stream = connect(client, "/no")
    client.finish(stream)
    assert stream.status == 502


def test_an_instance_that_has_not_read_the_key(client: Http2Client, door: FrontDoor) -> None:
    stream = connect(client, "/wrong")
    client.finish(stream)
    assert stream.reset is not None
    assert door.wait_log(target="/wrong")["cause"] == "http_upgrade_failed"


def test_a_connection_with_tunnels_is_idle_for_as_long_as_it_likes(client: Http2Client) -> None:
    """Several at once, beside requests."""
    streams = [connect(client, f"/{number}") for number in range(10)]
    client.read_until(lambda: all(stream.fields for stream in streams))
    for number, stream in enumerate(streams):
        client.send(stream, str(number).encode(), ended=False)
    client.read_until(lambda: all(stream.body for stream in streams))
    assert [bytes(stream.body) for stream in streams] == [str(number).encode() for number in range(10)]


def test_the_end_of_the_connection_ends_its_tunnels(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        stream = connect(client, "/left")
        client.read_until(lambda: stream.fields)
    wait_for(lambda: [one for one in door.log() if one["target"] == "/left"], "its line")
