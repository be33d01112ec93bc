"""What a hostile client or a dying instance could gain by order and timing: every case here was once a bug.

A worker that is stopped for a moment (SIGSTOP) finds several events at once when it goes on, in the order in which they
came: so the races are not left to chance.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness import process
from tests.e2e.harness.client import get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance, Peer, reserve
from tests.e2e.harness.process import growth_by_round
from tests.e2e.harness.scripts import answer, echo, ok
from tests.e2e.harness.waiting import wait_for, wait_until_still

MIB = 1 << 20
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")


@contextmanager
def _stopped(door: FrontDoor) -> Iterator[None]:
    """Nothing is handled meanwhile; the door's only worker finds it all at once when it goes on."""
    (worker,) = door.workers
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def _all_handled(door: FrontDoor) -> None:
    """What was sent before is handled: a later event of another connection has been answered."""
    assert door.ask(get(host="nobody.example")).status == 404


def test_a_client_that_asks_and_never_reads_stops_being_served(tmp_path: Path) -> None:
    # spec: F3, F4; attack 33
    count, size = 300, 200_000
    with Instance(answer(ok(b"x" * size))) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        (worker,) = door.workers
        before = process.peak_memory(worker)
        with door.connect(receive_buffer=8192) as client:
            client.send(get("/big") * count)
            served = wait_until_still(lambda: len(instance.requests), "the requests served")
            assert 0 < served * size < 24 * MIB, f"{served} answers were made for a client that reads none"
            assert process.peak_memory(worker) - before < 12 * MIB
            for _ in range(count):
                assert len(client.response().body) == size


def test_a_client_that_sends_requests_and_reads_no_answers_is_not_read_from(tmp_path: Path) -> None:
    # spec: F3; attack 33
    with FrontDoor(configure("127.0.0.1:1"), tmp_path) as door, door.connect(receive_buffer=8192) as client:
        (worker,) = door.workers
        before = process.peak_memory(worker)
        asked = 0
        client.sock.settimeout(1)
        with suppress(TimeoutError):
            while asked < 64 * MIB:
                asked += client.sock.send(get(host="nobody.example") * 1000)
        assert asked < 64 * MIB
        assert process.peak_memory(worker) - before < 12 * MIB
        client.sock.settimeout(15)
        assert client.response().status == 404
        assert door.ask(get(host="nobody.example")).status == 404


def test_requests_answered_on_the_spot_are_all_answered(tmp_path: Path) -> None:
    # spec: F4; attack 33
    count = 20_000
    with FrontDoor(configure("127.0.0.1:1"), tmp_path) as door, door.connect() as client:
        sender = threading.Thread(target=client.send, args=(get(host="nobody.example") * count,))
        sender.start()
        for _ in range(count):
            assert client.response().status == 404
        sender.join(15)
        assert client.is_open()


def _hold(release: threading.Event) -> Iterator[Instance]:
    def script(peer: Peer) -> None:
        while True:
            peer.request()
            release.wait(15)
            peer.send(ok())

    with Instance(script) as instance:
        yield instance


holding = contextmanager(_hold)


def test_a_waiting_client_that_leaves_when_its_turn_comes_does_not_keep_it(tmp_path: Path) -> None:
    # spec: L5, F3
    release = threading.Event()
    with holding(release) as instance, ExitStack() as stack:
        door = stack.enter_context(
            FrontDoor(configure(instance.address, limits={"instance_connections": 1, "waiting": 10}), tmp_path)
        )
        first, leaving, last = (stack.enter_context(door.connect()) for _ in range(3))
        first.send(get("/first"))
        instance.wait_requests(1)
        for client, target in ((leaving, "/leaving"), (last, "/last")):
            client.send(get(target))
            _all_handled(door)
        with _stopped(door):
            release.set()
            wait_for(lambda: instance.peers[0].sent > 0, "the answer to the first request")
            leaving.reset()
        assert first.response().status == 200
        assert last.response().status == 200


def test_those_who_gave_up_waiting_leave_nothing_behind(tmp_path: Path) -> None:
    # spec: L5, F3
    release = threading.Event()
    with holding(release) as instance:
        config = configure(instance.address, limits={"instance_connections": 1, "waiting": 10})
        with FrontDoor(config, tmp_path) as door, door.connect() as first:
            first.send(get("/first"))
            instance.wait_requests(1)
            (worker,) = door.workers

            def give_up(times: int) -> None:
                for _ in range(times):
                    with door.connect() as client:
                        client.send(get("/" + "x" * 8000))
                        _all_handled(door)
                        client.reset()

            give_up(100)
            # What each round leaves behind, the next one adds to; what the first ones need besides (lines on their way
            # to the log, the allocator's reserves) they need once.
            grown = growth_by_round(worker, lambda: give_up(350), rounds=4)
            assert min(grown) < MIB, grown  # the targets alone are 2.8 MB a round
            release.set()
            assert first.response().status == 200


def test_an_instance_that_closes_all_its_idle_connections_costs_nobody_an_error(tmp_path: Path) -> None:
    # spec: F2
    count = 8
    turns = [threading.Event() for _ in range(count)]

    def script(peer: Peer) -> None:
        peer.request()
        if peer.number < count:
            turns[peer.number].wait(15)
        peer.send(ok())
        peer.wait_gone()

    with Instance(script) as instance, ExitStack() as stack:
        door = stack.enter_context(FrontDoor(configure(instance.address), tmp_path))
        clients = [stack.enter_context(door.connect()) for _ in range(count)]
        for number, client in enumerate(clients):
            client.send(get())
            instance.wait_requests(number + 1)
        for client, turn in zip(clients, turns, strict=True):  # so the last one is the first to be used again
            turn.set()
            assert client.response().status == 200
        with _stopped(door):
            clients[0].send(get("/again"))
            for peer in reversed(instance.peers):
                peer.sock.shutdown(socket.SHUT_RDWR)
        assert clients[0].response().status == 200


def test_a_connection_with_a_request_still_queued_is_not_used_again(tmp_path: Path) -> None:
    # spec: F4, F5; attacks 5 and 6: what an instance did not read of one request must not come before the next
    sock = reserve()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    answering = threading.Semaphore(0)

    def script(peer: Peer) -> None:
        head = peer.head()
        answering.acquire(timeout=15)
        peer.send(ok())
        peer.body(head)

    dropped, seen = 0, b""
    with Instance(script, sock=sock) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        for size in range(100_000, 4_600_000, 60_000):
            ends = len(instance.requests) + len(instance.aborted)
            with door.connect() as client:
                client.send(post("/early", b"x" * size))
                wait_for(lambda: bool(instance.peers) and instance.peers[-1].reading, "the request")
                for _ in range(3):
                    _all_handled(door)
                answering.release()
                response = client.response()
                assert response.status == 200
                wait_for(lambda: instance.open_connections == 0, "the end of the request")
                assert len(instance.requests) + len(instance.aborted) == ends + 1
                if not response.has("Connection"):  # all of the request had been read from the client
                    dropped += bool(instance.aborted and instance.aborted[-1] is not seen)
                seen = instance.aborted[-1] if instance.aborted else b""
    assert dropped > 0, "no request was ever left in the queue: the test tests nothing"


@pytest.mark.parametrize("host", ["nobody.example", None])
def test_an_upgrade_that_we_answer_ourselves_ends_the_connection(stage: OpenStage, host: str | None) -> None:
    # spec: F4, F5; attack 30, RFC 9931: what follows may be of the other protocol
    with stage(echo()) as on, on.connect() as client:
        if host is None:
            on.instance.stop()
        client.send(get("/", *UPGRADE, host=host or on.host) + get("/smuggled", host=on.host))
        assert client.response().one("connection") == b"close"
        assert client.rest() == b""
        assert b"smuggled" not in on.instance.seen


def test_an_early_answer_is_told_although_the_instance_closed(tmp_path: Path) -> None:
    # spec: F4; attack 5
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(ok(b"no", "Connection: close", status="403 Forbidden"))

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        for _ in range(40):
            with door.connect() as client:
                client.send_quietly(message("POST /", "Content-Length: 8000000", body=b"x" * 4_000_000))
                assert client.response().status == 403


def test_names_and_paths_that_take_long_to_read_do_not(tmp_path: Path) -> None:
    # spec: L1, T6
    nested = b"%"
    for _ in range(1900):
        nested = b"%2" + nested + b"35"
    options = b"Connection: " + b"a," * 4000 + b"b"
    with FrontDoor(configure("127.0.0.1:1"), tmp_path) as door:
        (worker,) = door.workers
        for data, status in (
            (get("/" + nested.decode(), host="nobody.example"), 404),
            (get("/", *[options] * 7, host="nobody.example"), 400),  # more options than anybody means
        ):
            before = process.cpu(worker)
            for _ in range(20):
                assert door.ask(data).status == status
            assert process.cpu(worker) - before < 0.8


def test_the_reserved_path_is_ours_however_deep_it_is_encoded(stage: OpenStage) -> None:
    # spec: T6
    with stage(echo()) as on:
        for depth in (1, 2, 7, 30, 500):
            target = "/%" + "25" * depth + "2ewell-known/acme-challenge/token"
            with on.connect() as client:
                assert_error(client.ask(get(target, host=on.host)), 404, "challenge_not_found")
        assert on.instance.requests == []
