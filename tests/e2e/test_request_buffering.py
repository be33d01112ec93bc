"""Request bodies that are collected before an instance is chosen: what an app gets, what a client is told, what is left
of it afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import socket
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness import process
from tests.e2e.harness.client import Client, chunk, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import read_chunk

KIB = 1024
MIB = 1 << 20
CHUNKED = "Transfer-Encoding: chunked"
EXPECT = "Expect: 100-continue"


def digesting(peer: Peer) -> None:
    """Say how each body was framed, its size, its digest, and which fields came."""
    while True:
        request = peer.request()
        seen = {
            "framing": request.framing,
            "size": len(request.body),
            "sha256": hashlib.sha256(request.body).hexdigest(),
            "fields": [name.decode() for name in request.names],
            "trailers": len(request.trailers),
        }
        peer.send(ok(json.dumps(seen).encode()))


def block(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def send_chunked(client: Client, host: str, body: bytes, *lines: str, piece: int = 100_000) -> None:
    client.send(message("POST /", CHUNKED, *lines, host=host))
    for at in range(0, len(body), piece):
        client.send(chunk(body[at : at + piece]))


def assert_got(client: Client, body: bytes, framing: str = "length") -> dict[str, Any]:
    """The app has got this body, framed like this."""
    seen: dict[str, Any] = json.loads(client.response().body)
    assert (seen["framing"], seen["size"]) == (framing, len(body))
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()
    return seen


def buffering(mode: str, *instances: str, **top: Any) -> dict[str, Any]:
    config = configure(*instances, **top)
    config["apps"]["shop"]["buffering"] = mode
    return config


# spec: F6
@pytest.mark.parametrize("size", [0, 1, 64 * KIB, 64 * KIB + 1, 5 * MIB])
def test_a_chunked_body_reaches_the_app_with_a_length(stage: OpenStage, size: int) -> None:
    body = block(size)
    with stage(digesting) as on, on.connect() as client:
        for _ in range(2):
            send_chunked(client, on.host, body, "Trailer: Sum")
            client.send(b"0\r\nSum: 1\r\n\r\n")
            seen = assert_got(client, body)
            assert not {"trailer", "transfer-encoding", "sum"} & set(seen["fields"])
            assert seen["trailers"] == 0


# spec: F6
def test_pipelined_requests_behind_a_collected_body_are_answered_in_order(stage: OpenStage) -> None:
    body = block(200 * KIB)
    with stage(digesting) as on, on.connect() as client:
        send_chunked(client, on.host, body)
        client.send(b"0\r\n\r\n" + post("/", b"second", host=on.host) + get(host=on.host))
        assert_got(client, body)
        assert_got(client, b"second")
        assert client.response().status == 200


# spec: F6
@pytest.mark.parametrize("line", [CHUNKED, "Content-Length: 400"])
def test_a_slow_client_holds_no_instance(stage: OpenStage, line: str) -> None:
    with stage(digesting) as on, on.connect() as slow, on.connect() as other:
        body = block(400)
        slow.send(message("POST /", line, host=on.host))
        slow.send(chunk(body[:100]) if line == CHUNKED else body[:100])
        assert other.ask(get(host=on.host)).status == 200
        assert on.instance.connections == 1
        assert not [request for request in on.instance.requests if request.method == b"POST"]
        slow.send(chunk(body[100:]) + b"0\r\n\r\n" if line == CHUNKED else body[100:])
        assert_got(slow, body)


# spec: F6, F4
@pytest.mark.parametrize("line", [CHUNKED, "Content-Length: 70000"])
def test_who_waits_for_a_100_gets_it_from_here(stage: OpenStage, line: str) -> None:
    body = block(70_000)
    with stage(digesting) as on, on.connect() as client:
        client.send(message("POST /", EXPECT, line, host=on.host))
        assert client.head().status == 100
        assert on.instance.connections == 0
        client.send(chunk(body) + b"0\r\n\r\n" if line == CHUNKED else body)
        assert "expect" not in assert_got(client, body)["fields"]


def echoing_chunks(peer: Peer) -> None:
    """Answer each chunk of a body with one, at once."""
    head = peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while data := read_chunk(peer.stream):
        peer.send(chunk(data))
    peer.stream.line()
    peer.send(b"0\r\n\r\n")
    assert head.has("transfer-encoding")


# spec: F6
@pytest.mark.parametrize("first", [b"", b"ping", block(300 * KIB)])
def test_a_chunked_sender_that_waits_for_an_answer_gets_it(stage: OpenStage, first: bytes) -> None:
    with stage(echoing_chunks) as on, on.connect() as client:
        client.send(message("POST /", CHUNKED, host=on.host) + (chunk(first) if first else b""))
        assert client.head().status == 200
        came = b""
        while len(came) < len(first):
            came += read_chunk(client.stream)
        assert came == first
        for word in (b"one", b"two"):
            client.send(chunk(word))
            assert read_chunk(client.stream) == word
        client.send(b"0\r\n\r\n")
        assert read_chunk(client.stream) == b""


# spec: F6
def test_calls_of_grpc_go_on_as_they_come(stage: OpenStage) -> None:
    with stage(echoing_chunks) as on, on.connect() as client:
        client.send(message("POST /", CHUNKED, "Content-Type: application/grpc", host=on.host) + chunk(b"ping"))
        wait_for(lambda: b"ping" in on.instance.seen, "the first message")
        assert client.head().status == 200
        assert read_chunk(client.stream) == b"ping"
        client.send(b"0\r\n\r\n")


# spec: F6
def test_off_passes_everything_on_as_it_comes_with_its_trailers(tmp_path: Path) -> None:
    with (
        Instance(digesting) as app,
        FrontDoor(buffering("off", app.address), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(message("POST /", CHUNKED, host="shop.example.com") + chunk(b"abc"))
        wait_for(lambda: b"abc" in app.seen, "the first chunk at the app")
        client.send(b"0\r\nSum: 1\r\n\r\n")
        assert assert_got(client, b"abc", "chunked")["trailers"] == 1
        client.send(message("POST /", "Content-Length: 6") + b"abc")
        wait_for(lambda: app.seen.endswith(b"abc"), "the first half at the app")
        client.send(b"def")
        assert_got(client, b"abcdef")


# spec: F6
def test_on_collects_large_bodies_of_known_length_too(tmp_path: Path) -> None:
    body = block(3 * MIB)
    with Instance(digesting) as app:
        config = buffering("on", app.address, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            client.send(message("POST /", f"Content-Length: {len(body)}") + body[: 2 * MIB])
            wait_for(lambda: metric(door, "lb_buffered_bytes") > MIB, "some of it on disk")
            assert app.connections == 0
            client.send(body[2 * MIB :])
            assert_got(client, body)
            wait_for(lambda: metric(door, "lb_buffered_bytes") == 0, "nothing left on disk")
            assert metric(door, "lb_buffered_requests_total") == 1


# spec: F6, L7
def test_a_route_and_an_environment_have_a_mode_of_their_own(tmp_path: Path) -> None:
    with Instance(digesting) as app:
        config = configure(app.address)
        shop = config["apps"]["shop"]
        shop["buffering"] = "on"
        shop["production"]["buffering"] = "auto"
        shop["routes"] = [{"path": "/live/", "buffering": "off"}]
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            for path, framing in (("/", "length"), ("/live/x", "chunked")):
                client.send(message(f"POST {path}", CHUNKED) + chunk(b"abc") + b"0\r\n\r\n")
                assert_got(client, b"abc", framing)


# spec: F6, L2
def test_a_body_that_passes_the_limit_reaches_no_app(tmp_path: Path) -> None:
    with Instance(digesting) as app:
        config = configure(app.address, limits={"body": "1M"})
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            client.send(message("POST /", CHUNKED))
            for _ in range(12):
                client.send_quietly(chunk(block(100 * KIB)))
            assert_error(client.response(), 413, "request_body_too_large")
            assert app.connections == 0


def buffered(door: FrontDoor, least: int) -> int:
    """The bytes on disk, or 0 if they are less."""
    found = metric(door, "lb_buffered_bytes")
    return found if found >= least else 0


# spec: F6
def test_all_workers_share_the_room_on_disk(tmp_path: Path) -> None:
    with Instance(digesting) as app:
        config = buffering("on", app.address, limits={"buffered": "1M"}, workers=2, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door, ExitStack() as stack:
            for number in range(1, 100):  # each is with either worker
                client = stack.enter_context(door.connect())
                client.send(message("POST /", CHUNKED) + chunk(block(90 * KIB)))
                least = number * 64 * KIB
                if wait_for(partial(buffered, door, least), "it on disk") >= 900 * KIB:
                    break
            with door.connect() as late:
                late.send(message("POST /", "Content-Length: 1000000", EXPECT))
                response = late.response()
                assert_error(response, 503, "buffer_limit_reached")
                assert response.one("Retry-After") == b"1"
                assert b"1048576 bytes (limits.buffered)" in response.body
            with door.connect() as late:
                late.send(message("POST /", CHUNKED) + chunk(block(200 * KIB)))
                assert_error(late.response(), 503, "buffer_limit_reached")
            with door.connect() as small:
                small.send(message("POST /", CHUNKED) + chunk(b"abc") + b"0\r\n\r\n")  # stays in memory
                assert_got(small, b"abc")
            stack.close()
            wait_for(lambda: metric(door, "lb_buffered_bytes") == 0, "nothing left on disk")
            with door.connect() as client:
                send_chunked(client, "shop.example.com", block(500 * KIB))
                client.send(b"0\r\n\r\n")
                assert_got(client, block(500 * KIB))


# spec: F6, E3
def test_a_disk_that_refuses_is_a_507_with_its_cause(tmp_path: Path) -> None:
    with Instance(digesting) as app, FrontDoor(configure(app.address), tmp_path) as door:
        (worker,) = door.workers
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (150 * KIB, resource.RLIM_INFINITY))
        with door.connect() as client:
            client.send(message("POST /", CHUNKED))
            for _ in range(4):
                client.send_quietly(chunk(block(100 * KIB)))
            response = client.response()
            assert_error(response, 507, "insufficient_storage")
            assert os.strerror(27).lower().encode() in response.body
        wait_for(lambda: [line for line in door.stderr if "cannot be buffered in" in line], "a line in the log")
        door.wait_log(status=507, cause="insufficient_storage")
        with door.connect() as client:
            send_chunked(client, "shop.example.com", block(100 * KIB))
            client.send(b"0\r\n\r\n")
            assert_got(client, block(100 * KIB))
        assert app.connections == 1


# spec: F6
def test_nothing_is_left_by_a_worker_that_is_killed(tmp_path: Path) -> None:
    bodies = tmp_path / "bodies"
    bodies.mkdir()
    with Instance(digesting) as app:
        config = buffering("on", app.address, admin="127.0.0.1:0", limits={"buffered": "1M"})
        door = FrontDoor(config, tmp_path, env={"TMPDIR": str(bodies)})
        with door:
            (worker,) = [pid for pid in door.workers if "worker" in process.title(pid)]
            with door.connect() as client:
                client.send(message("POST /", CHUNKED))
                for _ in range(5):
                    client.send(chunk(block(100 * KIB)))
                wait_for(lambda: metric(door, "lb_buffered_bytes") >= 400 * KIB, "it on disk")
                assert list(bodies.iterdir()) == []
                os.kill(worker, signal.SIGKILL)
                client.rest()
            wait_for(lambda: not process.is_alive(worker), "its end")
            assert list(bodies.iterdir()) == []
            wait_for(lambda: metric(door, "lb_buffered_bytes") == 0, "its successor to begin at nothing")
            with door.connect() as client:
                send_chunked(client, "shop.example.com", block(900 * KIB))
                client.send(b"0\r\n\r\n")
                assert_got(client, block(900 * KIB))


# spec: F6, F3
@pytest.mark.parametrize("way", ["closes", "resets", "ends"])
def test_a_client_that_leaves_takes_its_body_with_it(tmp_path: Path, way: str) -> None:
    with Instance(digesting) as app:
        config = buffering("on", app.address, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            send_chunked(client, "shop.example.com", block(500 * KIB))
            wait_for(lambda: metric(door, "lb_buffered_bytes") > 0, "it on disk")
            {"closes": client.close, "resets": client.reset, "ends": client.half_close}[way]()
            door.wait_log(status=499, cause="client_closed_request")
            wait_for(lambda: metric(door, "lb_buffered_bytes") == 0, "nothing left on disk")
            assert app.connections == 0


# spec: F6, F2
def test_a_collected_body_goes_to_the_next_instance(tmp_path: Path) -> None:
    body = block(500 * KIB)
    with socket.socket() as closed, Instance(digesting) as app:
        closed.bind(("127.0.0.1", 0))
        refusing = f"127.0.0.1:{closed.getsockname()[1]}"
        with FrontDoor(configure(refusing, app.address), tmp_path) as door, door.connect() as client:
            for _ in range(4):
                send_chunked(client, "shop.example.com", body)
                client.send(b"0\r\n\r\n")
                assert_got(client, body)


# spec: F6, F3
def test_memory_stays_small_and_a_slow_app_slows_nothing_else(tmp_path: Path) -> None:
    size = 40 * MIB
    go = threading.Event()

    def slow(peer: Peer) -> None:
        go.wait(60)
        digesting(peer)

    with Instance(slow) as app:
        config = buffering("on", app.address, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            (worker,) = [pid for pid in door.workers if "worker" in process.title(pid)]
            before = process.peak_memory(worker)
            send_chunked(client, "shop.example.com", block(size), piece=MIB)
            client.send(b"0\r\n\r\n")
            wait_for(lambda: app.connections == 1, "the app to be asked")
            go.set()
            assert_got(client, block(size))
            assert process.peak_memory(worker) - before < 4 * MIB
