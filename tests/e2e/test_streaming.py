"""Bodies that flow: bounded memory, back-pressure, clients and instances that leave. Clause F3."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness import process
from tests.e2e.harness.client import chunk, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_logged
from tests.e2e.harness.instance import Instance, Peer, Script
from tests.e2e.harness.scripts import Echo, echo, hang, ok
from tests.e2e.harness.waiting import wait_for, wait_until_still
from tests.e2e.harness.wire import read_chunk

MIB = 1 << 20
BLOCK = bytes(range(256)) * 4096  # 1 MiB in which no two neighbours are alike
LARGE = 200  # blocks


def _grown(door: FrontDoor, before: int) -> float:
    return (process.peak_memory(door.workers[0]) - before) / MIB


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_large_download_needs_little_memory(tmp_path: Path, framing: str) -> None:
    # spec: F3
    def script(peer: Peer) -> None:
        peer.request()
        kind = {
            "length": f"Content-Length: {LARGE * MIB}\r\n",
            "chunked": "Transfer-Encoding: chunked\r\n",
            "close": "Connection: close\r\n",
        }[framing]
        peer.send(f"HTTP/1.1 200 OK\r\n{kind}\r\n".encode())
        for _ in range(LARGE):
            peer.send(chunk(BLOCK) if framing == "chunked" else BLOCK)
        if framing == "chunked":
            peer.send(b"0\r\n\r\n")

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        before = process.peak_memory(door.workers[0])
        with door.connect() as client:
            client.stream.keep = False
            client.send(get("/large"))
            head = client.head()
            digest, size = hashlib.sha256(), 0
            while data := read_chunk(client.stream) if head.framing == "chunked" else client.stream.some():
                digest.update(data)
                size += len(data)
                if head.framing == "length" and size == LARGE * MIB:
                    break
        grown = _grown(door, before)
        entry = door.wait_log(target="/large")
    assert size == LARGE * MIB
    assert digest.digest() == _digest(LARGE)
    assert grown < 4, f"the worker grew by {grown:.1f} MiB"
    assert entry["bytes_sent"] >= LARGE * MIB


def _digest(blocks: int) -> bytes:
    digest = hashlib.sha256()
    for _ in range(blocks):
        digest.update(BLOCK)
    return digest.digest()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_upload_needs_little_memory(tmp_path: Path, framing: str) -> None:
    # spec: F3
    seen = hashlib.sha256()

    def script(peer: Peer) -> None:
        peer.stream.keep = False
        head = peer.head()
        if head.framing == "chunked":
            while data := read_chunk(peer.stream):
                seen.update(data)
            peer.stream.line()
        else:
            for _ in range(LARGE):
                seen.update(peer.stream.exactly(MIB))
        peer.send(ok(b"stored"))

    with Instance(script) as instance:
        config = configure(instance.address, limits={"body": "1G"})
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            before = process.peak_memory(door.workers[0])
            kind = f"Content-Length: {LARGE * MIB}" if framing == "length" else "Transfer-Encoding: chunked"
            client.send(message("PUT /large", kind))
            for _ in range(LARGE):
                client.send(chunk(BLOCK) if framing == "chunked" else BLOCK)
            if framing == "chunked":
                client.send(b"0\r\n\r\n")
            assert client.response().body == b"stored"
            grown = _grown(door, before)
    assert seen.digest() == _digest(LARGE)
    assert grown < 4, f"the worker grew by {grown:.1f} MiB"


def test_slow_readers_slow_the_instance_and_cost_little_memory(tmp_path: Path) -> None:
    # spec: F3
    readers = 16

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE * MIB}\r\n\r\n".encode())
        for _ in range(LARGE):
            peer.send(BLOCK)

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        before = process.peak_memory(door.workers[0])
        clients = [door.connect(receive_buffer=16384) for _ in range(readers)]
        for client in clients:
            client.send(get("/unread"))
        instance.wait_peers(readers)
        written = wait_until_still(lambda: sum(peer.sent for peer in instance.peers), "the instance's writing")
        grown = _grown(door, before)
        assert door.ask(message("OPTIONS /other HTTP/1.0", host=None)).status == 404
        for client in clients:
            client.close()
        wait_for(lambda: instance.open_connections == 0, "the instance to be told that the readers are gone")
    assert grown < readers + 4, f"{readers} stalled downloads cost {grown:.1f} MiB"
    assert written < readers * 24 * MIB, f"the instance wrote {written / MIB:.0f} MiB that nobody read"


def test_a_slow_instance_slows_the_client(tmp_path: Path) -> None:
    # spec: F3
    proceed = threading.Event()

    def script(peer: Peer) -> None:
        head = peer.head()
        proceed.wait(60)
        peer.send(ok(str(len(peer.body(head).body)).encode()))

    with Instance(script) as instance:
        config = configure(instance.address, limits={"body": "1G"})
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            before = process.peak_memory(door.workers[0])
            sent = [0]
            size = 64 * MIB

            def upload() -> None:
                client.send(message("PUT /slow", f"Content-Length: {size}"))
                for _ in range(64):
                    client.send(BLOCK)
                    sent[0] += MIB

            thread = threading.Thread(target=upload)
            thread.start()
            taken = wait_until_still(lambda: sent[0], "the upload")
            grown = _grown(door, before)
            proceed.set()
            thread.join(60)
            assert client.response().body == str(size).encode()
    assert grown < 4, f"a stalled upload cost {grown:.1f} MiB"
    assert taken < 32 * MIB


def test_an_upload_reaches_the_instance_while_it_is_sent(stage: OpenStage) -> None:
    # spec: F3
    with stage(echo()) as on, on.connect() as client:
        client.send(message("POST /", "Transfer-Encoding: chunked", host=on.host, body=chunk(b"first piece")))
        wait_for(lambda: b"first piece" in on.instance.seen, "the first piece at the instance")
        client.send(chunk(b"second") + b"0\r\n\r\n")
        assert Echo(client.response()).seen["length"] == 17


def test_both_directions_flow_at_once(stage: OpenStage) -> None:
    # spec: F3
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while data := read_chunk(peer.stream):
            peer.send(chunk(data.upper()))
        peer.send(b"0\r\n\r\n")

    with stage(script) as on, on.connect() as client:
        client.send(message("POST /", "Transfer-Encoding: chunked", host=on.host, body=chunk(b"a0")))
        assert client.head().framing == "chunked"
        for turn in range(20):
            assert read_chunk(client.stream) == f"A{turn}".encode()
            client.send(chunk(f"a{turn + 1}".encode()) if turn < 19 else b"0\r\n\r\n")
        assert read_chunk(client.stream) == b""


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_while_it_waits_cancels_the_request(stage: OpenStage, leave: str) -> None:
    # spec: F3, E1
    with stage(hang) as on:
        client = on.connect()
        client.send(get("/left", host=on.host))
        on.instance.wait_requests(1)
        getattr(client, leave)()
        wait_for(lambda: on.instance.open_connections == 0, "the instance to be told")
        assert_logged(on.door, 499, "client_closed_request", target="/left", host=on.host)


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_in_a_stream_cancels_it(stage: OpenStage, leave: str) -> None:
    # spec: F3
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
        peer.wait_gone()

    with stage(script) as on:
        client = on.connect()
        client.send(get("/left-in-stream", host=on.host))
        client.head()
        getattr(client, leave)()
        wait_for(lambda: on.instance.open_connections == 0, "the instance to be told")
        assert_logged(on.door, 200, "client_closed_request", target="/left-in-stream", host=on.host)


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_client_that_leaves_in_its_upload_never_makes_a_complete_request(streaming: OpenStage, leave: str) -> None:
    # spec: F3
    for data in (
        message("POST /cut", "Content-Length: 10", host="{host}", body=b"12345"),
        message("POST /cut", "Transfer-Encoding: chunked", host="{host}", body=chunk(b"12345")),
        message("POST /cut", "Transfer-Encoding: chunked", host="{host}", body=chunk(b"12345") + b"0\r\n"),
    ):
        with streaming(echo()) as on:
            client = on.connect()
            client.send(data.replace(b"{host}", on.host.encode()))
            instance = on.instance
            wait_for(partial(_has, instance, b"12345"), "the piece at the instance")
            getattr(client, leave)()
            wait_for(partial(_is_alone, instance), "the instance to be told")
            assert instance.requests == []


def _has(instance: Instance, data: bytes) -> bool:
    return data in instance.seen


def _is_alone(instance: Instance) -> bool:
    return instance.open_connections == 0


def test_a_client_that_half_closes_still_gets_a_quick_answer(stage: OpenStage) -> None:
    # spec: F3, F4; RFC 9112 section 9.6: FIN after a complete request is not a cancellation yet
    with stage(echo()) as on, on.connect() as client:
        client.send(post("/", b"hello", host=on.host))
        client.half_close()
        assert Echo(client.response()).seen["length"] == 5
        assert client.rest() == b""


def test_a_client_that_half_closes_and_leaves_later_cancels_the_request(stage: OpenStage) -> None:
    # spec: F3
    with stage(hang) as on:
        client = on.connect()
        client.send(get("/half-closed", host=on.host))
        client.half_close()
        on.instance.wait_requests(1)
        assert client.stream.exactly(1) == b"H"  # it was tried once, and is still there
        assert on.instance.open_connections == 1
        client.close()
        wait_for(lambda: on.instance.open_connections == 0, "the instance to be told")
        assert_logged(on.door, 499, "client_closed_request", target="/half-closed", host=on.host)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_where_only_the_end_tells_of_the_end_a_response_cut_short_ends_in_a_reset(stage: OpenStage, end: str) -> None:
    # spec: F5: HTTP/1.0 without a length: an orderly end would make half a body a whole one
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 500)
    forwarded = threading.Event()
    with stage(_sender(data, end, forwarded)) as on, on.connect() as client:
        client.send(message("GET /cut-short HTTP/1.0", host=on.host))
        assert client.head().status == 200
        forwarded.set()
        assert len(client.rest()) <= 500
        assert client.stream.was_reset
        assert_logged(on.door, 200, "http_response_incomplete", target="/cut-short", host=on.host)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_response_cut_short_is_never_passed_off_as_complete(stage: OpenStage, end: str) -> None:
    # spec: F5, E1
    for data in (
        ok(b"x" * 1000)[:-500],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 500),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 500)[:-2],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 500) + b"0\r\n",
    ):
        forwarded = threading.Event()
        with stage(_sender(data, end, forwarded)) as on, on.connect() as client:
            client.send(get("/cut-short", host=on.host))
            assert client.head().status == 200
            begin = client.stream.some()
            forwarded.set()
            rest = begin + client.rest()
            assert not rest.endswith(b"0\r\n\r\n")
            assert rest.count(b"x") <= 500
            assert_logged(on.door, 200, "http_response_incomplete", target="/cut-short", host=on.host)


def _sender(data: bytes, end: str, forwarded: threading.Event) -> Script:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data)
        if end == "reset":
            forwarded.wait(10)  # a reset discards what the front door has not read yet
            peer.reset()

    return script
