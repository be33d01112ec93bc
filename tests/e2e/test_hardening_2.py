"""Time and slow peers, second helping: every case here was once a connection that stayed for ever, or one cut too early.

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
        clients = [stack.enter_context(door.connect()) for _ in range(24)]
        for number, client in enumerate(clients):
            client.send(message("POST /stalled", "Content-Length: 9000000", body=b"x" * (100_000 + 25_000 * number)))
        instance.wait_peers(len(clients))
        wait_until_still(lambda: sum(len(peer.stream.record) for peer in instance.peers), "the uploads", SHORT / 3)
        reading.set()
        for client in clients:
            assert client.rest()[:13] in {b"", b"HTTP/1.1 408 "}
        wait_for(lambda: instance.open_connections == 0, "the instance to be told")


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
                client.stream.exactly(100_000)
            assert len(client.rest()) == size - 2_000_000


def test_the_end_of_a_response_that_still_moves_is_never_cut(tmp_path: Path) -> None:
    # spec: L4: what is queued for a slow reader when everything else is over
    size = 3_000_000
    pause = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"x" * size))
        peer.wait_gone()

    with Instance(script) as instance:
        config = configure(instance.address, timeouts=_timeouts(read=2.0))
        with FrontDoor(config, tmp_path) as door, door.connect(receive_buffer=16384) as client:
            client.send(get("/closing", "Connection: close"))
            client.head()
            client.stream.exactly(size - 1_600_000)
            for _ in range(40):
                pause.wait(0.115)
                client.stream.exactly(40_000)
            assert client.rest() == b""


def test_draining_waits_for_what_is_queued_for_a_slow_reader(tmp_path: Path) -> None:
    # spec: R2
    size = 3_000_000
    pause = threading.Event()
    with Instance(answer(ok(b"x" * size))) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect(receive_buffer=16384) as client:
            client.send(get("/slow"))
            client.head()
            client.stream.exactly(size - 400_000)
            door.wait_log(target="/slow")
            door.signal(signal.SIGTERM)
            for _ in range(8):
                pause.wait(PACE)
                client.stream.exactly(50_000)
            assert client.rest() == b""
        assert door.wait_end() == 0


def test_a_time_in_the_queue_is_over_when_the_queue_is(tmp_path: Path) -> None:
    # spec: L4, L5
    released = threading.Event()
    pause = threading.Event()
    size = 700_000

    def script(peer: Peer) -> None:
        if peer.request().target == b"/first":
            released.wait(15)
            peer.send(ok())
            peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            peer.send(chunk(b"x" * (size // 10)))
            pause.wait(PACE)
        peer.send(b"0\r\n\r\n")

    with Instance(script) as instance, ExitStack() as stack:
        config = configure(
            instance.address, timeouts=_timeouts(connect=2 * SHORT), limits={"instance_connections": 1, "waiting": 5}
        )
        door = stack.enter_context(FrontDoor(config, tmp_path))
        first, second = stack.enter_context(door.connect()), stack.enter_context(door.connect(receive_buffer=4096))
        first.send(get("/first"))
        instance.wait_requests(1)
        second.send(get("/second"))
        assert door.ask(get(host="nobody.example")).status == 404
        released.set()
        assert first.response().status == 200
        instance.wait_requests(2)
        door_is_past_the_wait = threading.Event()
        door_is_past_the_wait.wait(3 * SHORT)
        assert len(second.response().body) == size
