"""What RFC 9110 and 9112 say of single messages: HEAD, interim responses, framings, versions, pipelines. Clause F4."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import chunk, chunked, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer, reserve
from tests.e2e.harness.scripts import Echo, answer, answer_and_close, echo, ok, reply
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Request, read_chunk

WAYS = ("whole", "bytewise", "split")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [0, 1, 100, 70_000])
def test_a_body_with_a_length(stage: OpenStage, way: str, size: int) -> None:
    # spec: F4
    with stage(echo()) as on, on.connect() as client:
        client.send_as(way, post("/", b"x" * size, host=on.host))
        assert Echo(client.response()).seen["length"] == size


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pieces", [(), (b"a",), (b"abc", b"d" * 1000, b"e")])
def test_a_chunked_body(stage: OpenStage, way: str, pieces: tuple[bytes, ...]) -> None:
    # spec: F4
    with stage(echo()) as on, on.connect() as client:
        data = message("POST /", "Transfer-Encoding: chunked", host=on.host, body=chunked(*pieces))
        client.send_as(way, data)
        assert Echo(client.response()).seen["length"] == sum(map(len, pieces))
        assert Echo(client.ask(get("/next", host=on.host))).target == "/next"


def test_spellings_of_chunked_that_are_legal(stage: OpenStage) -> None:
    # spec: F4
    with stage(echo()) as on, on.connect() as client:
        for line in ("transfer-encoding: CHUNKED", "Transfer-Encoding:chunked", "Transfer-Encoding: \t chunked \t"):
            for body in (b"00a\r\n0123456789\r\n000\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n"):
                assert Echo(client.ask(message("POST /", line, host=on.host, body=body))).seen["length"] == 10


def test_chunk_extensions_are_dropped(stage: OpenStage) -> None:
    # spec: F4; RFC 9112 section 7.1.1
    with stage(echo()) as on, on.connect() as client:
        body = b'3;a\r\nabc\r\n2;a=b;c="d;e"\r\nde\r\n0;last\r\n\r\n'
        assert (
            Echo(client.ask(message("POST /", "Transfer-Encoding: chunked", host=on.host, body=body))).seen["length"]
            == 5
        )
        assert b";a" not in on.instance.seen
        assert b";last" not in on.instance.seen


def test_trailers_of_a_request_pass(streaming: OpenStage) -> None:
    # spec: F4
    with streaming(echo()) as on, on.connect() as client:
        body = chunked(b"abc", trailers=["X-Checksum: 1", "X-Other: caf\xe9"])
        lines = ("Transfer-Encoding: chunked", "Trailer: X-Checksum")
        seen = Echo(client.ask(message("POST /", *lines, host=on.host, body=body)))
        assert seen.seen["trailers"][0] == ["X-Checksum", "1"]


def test_trailers_of_a_response_pass(stage: OpenStage) -> None:
    # spec: F4
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + chunked(
        b"abc", b"de", trailers=["X-Sum: 5"]
    )
    with stage(answer(data)) as on, on.connect() as client:
        for _ in range(2):
            response = client.ask(get("/", "TE: trailers", "Connection: TE", host=on.host))
            assert response.body == b"abcde"
            assert response.trailers == ((b"X-Sum", b"5"),)


@pytest.mark.parametrize("length", ["Content-Length: 12", "Transfer-Encoding: chunked", "X: y"])
def test_head_has_no_body_and_keeps_the_length(stage: OpenStage, length: str) -> None:
    # spec: F4
    data = f'HTTP/1.1 200 OK\r\n{length}\r\nETag: "a"\r\n\r\n'.encode()
    with stage(answer(data)) as on, on.connect() as client:
        for _ in range(3):
            response = client.ask(message("HEAD /", host=on.host))
            assert (response.status, response.body) == (200, b"")
            if length.startswith("Content-Length"):
                assert response.one("content-length") == b"12"
        assert not client.stream.pending


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
        b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_responses_without_body(stage: OpenStage, data: bytes) -> None:
    # spec: F4
    with stage(answer(data, ok(b"next"))) as on, on.connect() as client:
        response = client.ask(get(host=on.host))
        assert response.status == int(data.split()[1])
        assert response.body == b""
        assert client.ask(get(host=on.host)).body == b"next"


def test_interim_responses_pass(stage: OpenStage) -> None:
    # spec: F4
    data = (
        b"HTTP/1.1 102 Processing\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n" + ok(b"done")
    )
    with stage(answer(data)) as on, on.connect() as client:
        for way in WAYS:
            client.send_as(way, get(host=on.host))
            response = client.response()
            assert [one.status for one in response.interim] == [102, 103]
            assert response.interim[1].all("link") == [b"</a.css>; rel=preload", b"</b.js>"]
            assert response.body == b"done"


def test_an_interim_response_reaches_the_client_before_the_final_one(stage: OpenStage) -> None:
    # spec: F4
    proceed = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        proceed.wait(20)
        peer.send(ok())

    with stage(script) as on, on.connect() as client:
        client.send(get(host=on.host))
        assert client.head().status == 103
        proceed.set()
        assert client.response().status == 200


@pytest.mark.parametrize("status", ["102 Processing", "103 Early Hints", "104 Upload Resumption Supported"])
def test_interim_responses_have_no_bound_in_number(stage: OpenStage, status: str) -> None:
    # spec: F4
    data = f"HTTP/1.1 {status}\r\nX: y\r\n\r\n".encode() * 60 + ok(b"done")
    with stage(answer(data)) as on, on.connect() as client:
        for _ in range(2):
            response = client.ask(get(host=on.host))
            assert ([one.status for one in response.interim], response.body) == ([int(status[:3])] * 60, b"done")


def test_a_100_that_nobody_asked_for_goes_no_further(stage: OpenStage) -> None:
    # spec: F4; RFC 9110 section 15.2.1
    with stage(answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 60 + ok(b"done"))) as on:
        response = on.door.ask(get(host=on.host))
        assert (response.interim, response.body) == ((), b"done")


def test_a_client_of_http_1_0_gets_no_interim_response(stage: OpenStage) -> None:
    # spec: F4; RFC 9110 section 15.2
    with stage(answer(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ok())) as on, on.connect() as client:
        response = client.ask(message("GET / HTTP/1.0", host=on.host))
        assert (response.interim, response.body) == ((), b"ok")


def test_a_body_delimited_by_close(stage: OpenStage) -> None:
    # spec: F4
    with stage(answer_and_close(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")) as on, on.connect() as client:
        for _ in range(2):
            response = client.ask(get(host=on.host))
            assert response.body == b"until the end"
            assert response.framing in {"chunked", "close"}
            if response.framing == "close":
                break


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_instance_of_http_1_0(stage: OpenStage, version: str) -> None:
    # spec: F4
    for data in (b"HTTP/1.0 200 OK\r\n\r\nhello", b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"):
        with stage(answer_and_close(data)) as on, on.connect() as client:
            response = client.ask(message(f"GET / HTTP/{version}", host=on.host))
            assert response.body == b"hello"
            assert response.version == b"1.1"  # a server answers with its own version


def test_http_1_0_closes_unless_asked_to_keep_alive(stage: OpenStage) -> None:
    # spec: F4
    with stage(echo()) as on:
        with on.connect() as client:
            assert client.ask(message("GET / HTTP/1.0", host=on.host)).status == 200
            assert client.rest() == b""
        with on.connect() as client:
            for _ in range(3):
                response = client.ask(message("GET / HTTP/1.0", "Connection: Keep-Alive", host=on.host))
                assert response.one("connection").lower() == b"keep-alive"
                assert response.framing == "length"
        assert on.instance.connections == 1


def test_a_client_of_http_1_0_gets_no_chunks(stage: OpenStage) -> None:
    # spec: F4; RFC 9112 section 7
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc", b"de", trailers=["X: y"])
    with stage(answer(data)) as on:
        for line in ("X: y", "Connection: keep-alive"):
            with on.connect() as client:
                response = client.ask(message("GET / HTTP/1.0", line, host=on.host))
                assert response.body == b"abcde"
                assert response.framing in {"close", "length"}


def test_an_upload_by_http_1_0(stage: OpenStage) -> None:
    # spec: F4
    with stage(echo()) as on:
        data = message("POST / HTTP/1.0", "Content-Length: 5", host=on.host, body=b"hello")
        assert Echo(on.door.ask(data)).seen["length"] == 5


@pytest.mark.parametrize("line", ["Connection: close", "connection: x, CLOSE"])
def test_a_client_may_ask_to_close(stage: OpenStage, line: str) -> None:
    # spec: F4
    with stage(echo()) as on, on.connect() as client:
        response = client.ask(get("/", line, host=on.host))
        assert b"close" in response.one("connection").lower()
        assert client.rest() == b""
        assert not client.stream.was_reset


@pytest.mark.parametrize("way", WAYS)
def test_pipelined_requests_are_answered_in_order(stage: OpenStage, way: str) -> None:
    # spec: F4; attack 33
    count = 40

    def handler(request: Request) -> bytes:
        return ok(request.target + b" " + request.body)

    with stage(reply(handler)) as on, on.connect() as client:
        parts = [
            get(f"/{number}", host=on.host) if number % 3 else post(f"/{number}", b"b%d" % number, host=on.host)
            for number in range(count)
        ]
        writer = threading.Thread(target=client.send_as, args=(way, b"".join(parts)))
        writer.start()
        for number in range(count):
            assert client.response().body == (f"/{number} " + ("" if number % 3 else f"b{number}")).encode()
        writer.join()


def test_a_pipeline_of_different_hosts_and_errors_is_answered_in_order(tmp_path: Path) -> None:
    # spec: F4, D4
    with Instance(echo()) as instance, reserve(), FrontDoor(configure(instance.address), tmp_path) as door:
        hosts = ["shop.example.com", "nobody.example", "shop.example.com", "nobody.example"]
        with door.connect() as client:
            client.send(b"".join(get(f"/{number}", host=host) for number, host in enumerate(hosts)))
            assert [client.response().status for _ in hosts] == [200, 404, 200, 404]


def test_a_tiny_flood_does_not_starve_others(stage: OpenStage) -> None:
    # spec: F4; attack 33
    stop = threading.Event()
    with stage(echo()) as on, on.connect() as flood:

        def write() -> None:
            burst = get("/flood", host=on.host) * 200
            while not stop.is_set():
                flood.send_quietly(burst)

        def read() -> None:
            while flood.stream.some():
                pass

        threads = [threading.Thread(target=write), threading.Thread(target=read)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            assert on.door.ask(get("/innocent", host=on.host)).status == 200
        stop.set()
        flood.sock.shutdown(socket.SHUT_RDWR)  # what is still queued need not be answered
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)


def test_empty_lines_before_a_request_are_overlooked(stage: OpenStage) -> None:
    # spec: F4; RFC 9112 section 2.2
    with stage(echo()) as on, on.connect() as client:
        client.send(b"\r\n" + get("/a", host=on.host) + b"\r\n" + get("/b", host=on.host))
        assert [Echo(client.response()).target for _ in range(2)] == ["/a", "/b"]


def test_absolute_form_is_forwarded_in_origin_form(stage: OpenStage) -> None:
    # spec: F4; RFC 9112 section 3.2.2
    with stage(echo()) as on, on.connect() as client:
        for scheme in ("http", "HTTP"):
            seen = Echo(client.ask(get(f"{scheme}://{on.host}/a?b=c", host=on.host)))
            assert (seen.target, seen.one("host")) == ("/a?b=c", on.host)
        assert Echo(client.ask(get(f"http://{on.host}", host=on.host))).target == "/"
        assert Echo(client.ask(get(f"http://{on.host}?x", host=on.host))).target == "/?x"


def test_server_sent_events_arrive_one_by_one(stage: OpenStage) -> None:
    # spec: F4, C3
    steps = [threading.Event() for _ in range(5)]

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number, step in enumerate(steps):
            step.wait(20)
            peer.send(chunk(b"data: %d\n\n" % number))
        peer.wait_gone()

    with stage(script) as on, on.connect() as client:
        client.send(get(host=on.host))
        assert client.head().one("content-type") == b"text/event-stream"
        for number, step in enumerate(steps):
            step.set()
            assert read_chunk(client.stream) == b"data: %d\n\n" % number


def test_a_unix_socket_and_ipv6(tmp_path: Path, short_path: Path) -> None:
    # spec: T1, F4
    with (
        Instance(echo("unix"), path=short_path / "app.sock") as unix,
        Instance(echo("six"), sock=reserve("::1")) as six,
        FrontDoor(configure(unix.address, six.address), tmp_path) as door,
    ):
        assert {Echo(door.ask(post("/", b"x" * 100_000))).instance for _ in range(4)} == {"unix", "six"}


def test_an_early_final_answer_to_an_upload_passes(streaming: OpenStage) -> None:
    # spec: F4; RFC 9112 section 9.3
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        peer.half_close()
        peer.wait_gone()

    with streaming(script) as on, on.connect() as client:
        client.send(message("POST /", "Content-Length: 1000000", host=on.host, body=b"x" * 1000))
        response = client.response()
        assert (response.status, response.body) == (403, b"no")
        client.send_quietly(b"x" * 999_000 + get("/next", host=on.host))
        rest = client.rest()
        assert b"HTTP/1.1 400" not in rest
        wait_for(lambda: on.instance.open_connections == 0, "the instance's connection to be closed")


def test_pipelined_requests_before_a_half_close_are_all_answered(stage: OpenStage) -> None:
    # spec: F4
    with stage(echo()) as on, on.connect() as client:
        client.send(b"".join(get(f"/{turn}", host=on.host) for turn in range(5)))
        client.half_close()
        assert [Echo(client.response()).target for _ in range(5)] == [f"/{turn}" for turn in range(5)]
        assert client.stream.some() == b""


def test_half_a_request_behind_a_whole_one_goes_with_its_client(stage: OpenStage) -> None:
    # spec: F4: nobody waits for the rest, and nobody is told that it came too late
    gone = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        gone.wait(20)
        peer.send(ok(b"done"))
        peer.wait_gone()

    with stage(script) as on, on.connect() as client:
        client.send(get("/whole", host=on.host) + b"GET /half HT")
        on.instance.wait_requests(1)
        client.half_close()
        gone.set()
        assert client.response().body == b"done"
        assert client.rest() == b""
