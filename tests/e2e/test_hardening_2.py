"""Time and slow peers, second helping: connections that once stayed for ever, and some that were cut too early.

Several sizes go at once where the case hangs on how much the kernel takes: one of them is the one that stops there.
"""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.harness.client import chunk, get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance, Peer, reserve
from tests.e2e.harness.scripts import answer, ok
from tests.e2e.harness.waiting import wait_for, wait_until_still

SHORT = 0.75  # seconds: the timeout under test
LONG = 30.0  # seconds: all the others
PACE = SHORT / 3
UPGRADE = ("Connection: Upgrade", "Upgrade: custom/1")
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: custom/1\r\n\r\n"


def _timeouts(**given: float) -> dict[str, float]:
    return dict.fromkeys(("connect", "response", "read", "head", "idle"), LONG) | given


def test_a_client_that_was_made_to_wait_and_then_stops_sending_is_closed(tmp_path: Path) -> None:
    # spec: L4: back-pressure is over, so it is the client's turn again
    sock = reserve()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reading = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        reading.wait(15)
        peer.wait_gone()

    with Instance(script, sock=sock) as instance, ExitStack() as stack:
        config = configure(instance.address, timeouts=_timeouts(read=SHORT))
        door = stack.enter_context(FrontDoor(config, tmp_path))
        clients = [stack.enter_context(door.connect()) for _ in range(75)]
        for number, client in enumerate(clients):
            client.send(message("POST /stalled", "Content-Length: 9000000", body=b"x" * (100_000 + 60_000 * number)))
        instance.wait_peers(len(clients))
        wait_until_still(lambda: sum(len(peer.stream.record) for peer in instance.peers), "the uploads", SHORT / 3)
        reading.set()
        for client in clients:
            assert client.rest()[:13] == b"HTTP/1.1 408 "
        wait_for(lambda: instance.open_connections == 0, "the instance to be told")


def test_an_instance_that_stops_reading_is_late(tmp_path: Path) -> None:
    # spec: L3
    sock = reserve()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        release.wait(LONG)

    with Instance(script, sock=sock) as instance:
        config = configure(instance.address, timeouts=_timeouts(read=SHORT, response=SHORT))
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            client.send(message("POST /unread", "Content-Length: 9000000", body=b"x" * 6_000_000))
            assert_error(client.response(), 504, "connection_write_timeout")
            assert_logged(door, 504, "connection_write_timeout", target="/unread")
            release.set()
            wait_for(lambda: instance.open_connections == 0, "the instance's connection to be closed")


@pytest.mark.parametrize("side", ["client", "instance"])
def test_a_tunnel_that_one_side_does_not_read_from_is_closed(tmp_path: Path, side: str) -> None:
    # spec: L4
    done = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING)
        if side == "client":
            while True:
                peer.send(b"x" * 65536)
        done.wait(60)

    with Instance(script) as instance:
        config = configure(instance.address, timeouts=_timeouts(read=SHORT))
        with FrontDoor(config, tmp_path) as door, door.connect(receive_buffer=8192) as client:
            client.send(get("/tunnel", *UPGRADE))
            assert client.head().status == 101
            if side == "instance":
                client.send_quietly(b"x" * 64_000_000)
            door.wait_log(target="/tunnel", status=101)
            done.set()


def test_a_tunnel_that_moves_slowly_is_not_closed(tmp_path: Path) -> None:
    # spec: L4
    size = 8_000_000
    pause = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(SWITCHING)
        peer.send(b"x" * size)

    with Instance(script) as instance:
        config = configure(instance.address, timeouts=_timeouts(read=SHORT))
        with FrontDoor(config, tmp_path) as door, door.connect(receive_buffer=65536) as client:
            client.send(get("/tunnel", *UPGRADE))
            assert client.head().status == 101
            for _ in range(20):  # the system takes up to half a megabyte at once
                pause.wait(SHORT / 8)
                client.stream.exactly(200_000)
            assert len(client.rest()) == size - 4_000_000


def test_draining_waits_for_what_is_queued_for_a_slow_reader(tmp_path: Path) -> None:
    # spec: R2
    size, piece = 4_000_000, 50_000
    pause = threading.Event()
    with Instance(answer(ok(b"x" * size))) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect(receive_buffer=16384) as client:
            client.send(get("/slow"))
            client.head()
            left = size
            while not door.log():  # from the line on nothing but the queue keeps the connection
                client.stream.exactly(piece)
                left -= piece
                pause.wait(PACE)
            door.signal(signal.SIGTERM)
            for _ in range(8):
                pause.wait(PACE)
                client.stream.exactly(piece)
            assert client.rest() == b"x" * (left - 8 * piece)
        assert door.wait_end() == 0


def test_a_time_in_the_queue_is_over_when_the_queue_is(tmp_path: Path) -> None:
    # spec: L4, L5
    count = 16
    released = threading.Event()
    past_the_wait = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            target = peer.request().target
            if target == b"/first":
                released.wait(15)
                peer.send(ok())
            else:
                size = int(target[1:])
                peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * size))
                past_the_wait.wait(15)
                peer.send(chunk(b"x") + b"0\r\n\r\n")

    with Instance(script) as instance, ExitStack() as stack:
        limits = {"instance_connections": count, "waiting": count}
        config = configure(instance.address, timeouts=_timeouts(connect=SHORT), limits=limits)
        door = stack.enter_context(FrontDoor(config, tmp_path))
        first = [stack.enter_context(door.connect()) for _ in range(count)]
        second = [stack.enter_context(door.connect(receive_buffer=4096)) for _ in range(count)]
        sizes = [100_000 + 50_000 * number for number in range(count)]
        for client in first:
            client.send(get("/first"))
        instance.wait_requests(count)
        for client, size in zip(second, sizes, strict=True):
            client.send(get(f"/{size}"))
        assert door.ask(get(host="nobody.example")).status == 404
        released.set()
        assert [client.response().status for client in first] == [200] * count
        instance.wait_requests(2 * count)
        past_the_wait.wait(2 * SHORT)
        past_the_wait.set()
        for client, size in zip(second, sizes, strict=True):
            assert len(client.response().body) == size + 1


def _sized(peer: Peer) -> None:
    while True:
        head = peer.head()
        if head.method == b"POST":
            peer.wait_gone()
            return
        peer.body(head)
        peer.send(ok(b"x" * int(head.target[1:])))


SIZES = tuple(range(2_000_000, 4_400_000, 60_000))  # around what the kernel takes of a response that nobody reads


def test_the_end_of_a_response_that_still_moves_is_never_cut(tmp_path: Path) -> None:
    # spec: L4: what is queued for a slow reader when everything else is over
    pause = threading.Event()
    with Instance(_sized) as instance, ExitStack() as stack:
        config = configure(instance.address, timeouts=_timeouts(read=SHORT))
        door = stack.enter_context(FrontDoor(config, tmp_path))
        clients = [stack.enter_context(door.connect(receive_buffer=16384)) for _ in SIZES]
        for client, size in zip(clients, SIZES, strict=True):
            client.stream.keep = False
            client.send(get(f"/{size}", "Connection: close"))
        for client in clients:
            client.head()
        for _ in range(20):
            pause.wait(SHORT / 10)
            for client in clients:
                client.stream.exactly(60_000)
        for client, size in zip(clients, SIZES, strict=True):
            assert len(client.rest()) == size - 20 * 60_000


def test_a_client_that_stops_reading_before_its_next_answer_begins(tmp_path: Path) -> None:
    # spec: L4, E1: every end has a status
    with Instance(_sized) as instance, ExitStack() as stack:
        config = configure(instance.address, timeouts=_timeouts(read=SHORT))
        door = stack.enter_context(FrontDoor(config, tmp_path))
        for size in SIZES:
            client = stack.enter_context(door.connect(receive_buffer=16384))
            client.send(get(f"/{size}") + message(f"POST /{size}", "Content-Length: 10", body=b"12345"))
        wait_until_still(lambda: len(door.log()), "the ends of the connections", 3 * SHORT)
        entries = door.log()
        assert len(entries) > len(SIZES)
        assert {entry["status"] for entry in entries} <= {200, 408, 499}
        assert {entry["status"] for entry in entries if entry["method"] == "POST"} & {499}
