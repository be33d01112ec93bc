"""How long it may take: connecting, answering, reading, heads, idle connections. Clauses L3 and L4."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.harness.client import chunk, chunked, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance, Peer, Script, address_text, reserve
from tests.e2e.harness.scripts import Echo, echo, hang, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Truncated

SHORT = 0.5  # seconds: the timeout under test
LONG = 30.0  # seconds: all the others
LATE = SHORT + 4  # the latest moment at which a timeout of SHORT counts as kept on a busy machine
PACE = SHORT / 4  # between two pieces of something that keeps moving


@contextmanager
def _door(tmp_path: Path, script: Script, **timeouts: float) -> Iterator[tuple[FrontDoor, Instance]]:
    all_timeouts = dict.fromkeys(("connect", "response", "read", "head", "idle"), LONG) | timeouts
    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, timeouts=all_timeouts), tmp_path) as door,
    ):
        yield door, instance


@contextmanager
def _in_time(least: float = SHORT) -> Iterator[None]:
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    assert least * 0.9 <= took <= LATE, f"took {took:.2f} s"


def test_an_instance_that_takes_no_connection(tmp_path: Path) -> None:
    # spec: L3
    listener = reserve()
    listener.listen(0)
    fillers = [socket.socket() for _ in range(4)]
    try:
        for filler in fillers:  # a full accept queue: the kernel leaves further connection attempts unanswered
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        config = configure(address_text(listener), timeouts={"connect": SHORT})
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            with _in_time():
                response = client.ask(get("/late-connect"))
            assert_error(response, 504, "connection_timeout")
            assert_logged(door, 504, "connection_timeout", target="/late-connect")
            assert client.is_open()
    finally:
        for sock in (listener, *fillers):
            sock.close()


def test_an_instance_that_does_not_begin_its_response(tmp_path: Path) -> None:
    # spec: L3
    with _door(tmp_path, hang, response=SHORT) as (door, instance):
        with _in_time():
            response = door.ask(get("/late-response"))
        assert_error(response, 504, "http_response_timeout")
        assert_logged(door, 504, "http_response_timeout", target="/late-response")
        wait_for(lambda: instance.open_connections == 0, "the late instance's connection to be closed")


def test_a_request_that_was_late_is_not_repeated(tmp_path: Path) -> None:
    # spec: L3, F2
    with Instance(hang) as first, Instance(hang) as second:
        config = configure(first.address, second.address, timeouts={"response": SHORT})
        with FrontDoor(config, tmp_path) as door:
            assert_error(door.ask(post("/once", b"x")), 504, "http_response_timeout")
        assert len(first.requests) + len(second.requests) == 1


def test_a_head_that_stops_half_way_is_a_late_response(tmp_path: Path) -> None:
    # spec: L3
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")
        peer.wait_gone()

    with _door(tmp_path, script, response=SHORT) as (door, _):
        assert_error(door.ask(get()), 504, "http_response_timeout")


def test_an_interim_response_does_not_begin_the_response(tmp_path: Path) -> None:
    # spec: L3
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        peer.wait_gone()

    with _door(tmp_path, script, response=SHORT) as (door, _):
        assert_error(door.ask(get()), 504, "http_response_timeout")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("status", ["100 Continue", "102 Processing"])
def test_interim_responses_are_a_sign_of_life(tmp_path: Path, version: str, status: str) -> None:
    # spec: F4, L3
    pause = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        for _ in range(16):
            pause.wait(PACE)
            peer.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
        peer.send(ok(b"done"))

    with _door(tmp_path, script, response=SHORT) as (door, _):
        response = door.ask(message(f"GET / HTTP/{version}"))
        assert (response.status, response.body) == (200, b"done")


def test_interim_responses_that_nobody_reads_slow_the_instance(tmp_path: Path) -> None:
    # spec: F3, L4
    interim = b"HTTP/1.1 103 Early Hints\r\n" + b"Link: " + b"x" * 8000 + b"\r\n\r\n"
    pause = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        while True:
            peer.send(interim * 8)
            pause.wait(0.2)

    with _door(tmp_path, script, read=SHORT) as (door, instance):
        client = door.connect(receive_buffer=4096)
        client.send(get("/unread"))
        assert_logged(door, 499, "client_stopped_reading", target="/unread")
        wait_for(lambda: instance.open_connections == 0, "the instance to be told")
        client.close()


def test_an_instance_that_stops_in_its_body(tmp_path: Path) -> None:
    # spec: L3
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"x" * 100)[:-50])
        peer.wait_gone()

    with _door(tmp_path, script, read=SHORT) as (door, instance), door.connect() as client:
        client.send(get("/late-body"))
        head = client.head()
        assert head.status == 200
        with _in_time(0):
            assert client.rest() == b"x" * 50
        assert_logged(door, 200, "connection_read_timeout", target="/late-body")
        wait_for(lambda: instance.open_connections == 0, "the late instance's connection to be closed")


def test_the_three_timeouts_are_told_apart_by_words_too(tmp_path: Path) -> None:
    # spec: L3, E2
    with _door(tmp_path, hang, response=SHORT) as (door, _):
        response = door.ask(get("/", "Accept: text/plain"))
        assert b"response" in response.body.lower()


def test_a_client_that_stops_in_its_body_is_closed_and_the_instance_sees_no_complete_request(tmp_path: Path) -> None:
    # spec: L4
    with _door(tmp_path, echo(), read=SHORT) as (door, instance):
        for data in (
            message("POST /stalled", "Content-Length: 10", body=b"12345"),
            message("POST /stalled", "Transfer-Encoding: chunked", body=chunk(b"12345")),
        ):
            with door.connect() as client:
                client.send(data)
                with _in_time():
                    rest = client.rest()
                assert rest.startswith(b"HTTP/1.1 408 "), rest[:100]
        wait_for(lambda: instance.open_connections == 0, "the instance to be told")
        assert instance.requests == []


def test_a_client_that_stops_reading_is_closed(tmp_path: Path) -> None:
    # spec: L4
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"x" * 64_000_000))

    with _door(tmp_path, script, read=SHORT) as (door, instance), door.connect(receive_buffer=8192) as client:
        client.send(get("/unread"))
        client.head()
        wait_for(lambda: instance.open_connections == 0, "the instance's connection to be closed", LATE + 10)
        door.wait_log(target="/unread")


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\n", get()[:-1]])
def test_a_head_that_does_not_arrive_in_time(tmp_path: Path, begun: bytes) -> None:
    # spec: L4
    with _door(tmp_path, echo(), head=SHORT) as (door, _), door.connect() as client:
        client.send(begun)
        with _in_time():
            response = client.response()
        assert_error(response, 408, "request_timeout")
        assert client.rest() == b""
        assert_logged(door, 408, "request_timeout")


def test_a_head_that_drips_does_not_gain_time(tmp_path: Path) -> None:
    # spec: L4; attack 31
    with _door(tmp_path, echo(), head=SHORT) as (door, _), door.connect() as slow:
        with _in_time():
            slow.send(b"GET / HTTP/1.1\r\nX: ")
            slow.sock.settimeout(PACE)
            while not slow.stream.ended and not slow.stream.pending:
                slow.send_quietly(b"a")
                try:
                    slow.stream.fill()
                except TimeoutError:
                    continue
        assert slow.response().status == 408
        assert door.ask(get()).status == 200


def test_a_second_head_has_its_own_time(tmp_path: Path) -> None:
    # spec: L4
    with _door(tmp_path, echo(), head=SHORT) as (door, _), door.connect() as client:
        assert client.ask(get()).status == 200
        client.send(b"GET / HT")
        assert client.response().status == 408


def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    # spec: L4
    with _door(tmp_path, echo(), idle=SHORT) as (door, _), door.connect() as client:
        assert client.ask(get()).status == 200
        with _in_time():
            assert client.rest() == b""
        assert not client.stream.was_reset


def test_a_connection_that_never_sends_a_byte_is_closed(tmp_path: Path) -> None:
    # spec: L4; attack 32
    with _door(tmp_path, echo(), idle=SHORT, head=SHORT) as (door, _), door.connect() as client, _in_time():
        assert client.rest() == b""


def test_a_running_request_is_not_idle(tmp_path: Path) -> None:
    # spec: L4
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        release.wait(3 * SHORT)
        peer.send(ok(b"after all"))

    with _door(tmp_path, script, idle=SHORT, head=SHORT, read=SHORT) as (door, _):
        assert door.ask(get()).body == b"after all"


def test_a_response_that_still_moves_is_never_cut(tmp_path: Path) -> None:
    # spec: L4
    pause = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(16):
            pause.wait(PACE)
            peer.send(chunk(b"x"))
        peer.send(b"0\r\n\r\n")

    with _door(tmp_path, script, read=SHORT, head=SHORT, idle=SHORT, response=SHORT) as (door, _):
        assert door.ask(get()).body == b"x" * 16


def test_a_request_that_still_moves_is_never_cut(tmp_path: Path) -> None:
    # spec: L4
    pause = threading.Event()
    with (
        _door(tmp_path, echo(), read=SHORT, head=SHORT, idle=SHORT, response=SHORT) as (door, _),
        door.connect() as client,
    ):
        client.send(message("POST /", "Transfer-Encoding: chunked"))
        for _ in range(16):
            pause.wait(PACE)
            client.send(chunk(b"x"))
        client.send(chunked())
        assert Echo(client.response()).seen["length"] == 16


def test_other_clients_are_served_while_many_are_slow(tmp_path: Path) -> None:
    # spec: L4; attack 31
    with _door(tmp_path, echo()) as (door, _):
        slow = [door.connect() for _ in range(200)]
        for number, client in enumerate(slow):
            client.send((b"GET / HTTP/1.1\r\nX: ", message("POST /", "Content-Length: 100"))[number % 2])
        begin = time.monotonic()
        for _ in range(50):
            assert door.ask(get()).status == 200
        assert time.monotonic() - begin < 5
        for client in slow:
            client.close()


def test_a_body_cut_by_a_timeout_is_never_mistaken_for_a_whole_one(tmp_path: Path) -> None:
    # spec: L3, F5
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"half"))
        peer.wait_gone()

    with _door(tmp_path, script, read=SHORT) as (door, _), pytest.raises(Truncated):
        door.ask(get())
