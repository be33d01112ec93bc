"""How much may come: exact sizes of heads, trailers and bodies, numbers of connections. Clauses L1, L2 and L5."""

from __future__ import annotations

import select
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import Client, chunked, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import Echo, echo, ok
from tests.e2e.harness.waiting import wait_for

LINE = 8 * 1024
HEAD = 64 * 1024
FIELDS = 1000
BODY = 100 * 1024 * 1024


def _request_line(size: int) -> str:
    return "GET /" + "a" * (size - len("GET / HTTP/1.1")) + " HTTP/1.1"


def _field(size: int, name: str = "X-Long") -> str:
    return f"{name}: " + "v" * (size - len(name) - 2)


def _head_of(size: int, host: str) -> bytes:
    """A request whose head has exactly `size` bytes, no line of it near its own limit."""
    lines: list[str] = []
    while (missing := size - len(get("/", *lines, host=host))) > 6000:
        lines.append(_field(4000))
    lines.append(_field(missing - 2))
    head = get("/", *lines, host=host)
    assert len(head) == size
    return head


@pytest.mark.parametrize("way", ["whole", "bytewise", "split"])
@pytest.mark.parametrize(
    ("size", "status", "cause"), [(LINE, 200, None), (LINE + 1, 414, "request_line_too_long"), (40_000, 414, None)]
)
def test_request_line(stage: OpenStage, way: str, size: int, status: int, cause: str | None) -> None:
    # spec: L1
    with stage(echo()) as on, on.connect() as client:
        client.send_as(way, message(_request_line(size), host=on.host))
        response = client.response()
        assert response.status == status
        if status == 200:
            assert len(Echo(response).target) == size - len("GET  HTTP/1.1")
        else:
            assert_error(response, 414, "request_line_too_long")
            assert client.rest() == b""
            assert on.instance.requests == []
        if cause:
            assert_logged(on.door, status, cause)


@pytest.mark.parametrize("way", ["whole", "bytewise", "split"])
@pytest.mark.parametrize(("size", "status"), [(LINE, 200), (LINE + 1, 431), (40_000, 431)])
def test_header_line(stage: OpenStage, way: str, size: int, status: int) -> None:
    # spec: L1
    with stage(echo()) as on, on.connect() as client:
        client.send_as(way, get("/", _field(size), host=on.host))
        response = client.response()
        if status == 200:
            assert len(Echo(response).one("x-long")) == size - len("X-Long: ")
        else:
            assert_error(response, 431, "request_header_too_large")
            assert client.rest() == b""
            assert on.instance.requests == []


@pytest.mark.parametrize("way", ["whole", "bytewise", "split"])
@pytest.mark.parametrize(("size", "status"), [(HEAD, 200), (HEAD + 1, 431)])
def test_whole_head(stage: OpenStage, way: str, size: int, status: int) -> None:
    # spec: L1
    with stage(echo()) as on, on.connect() as client:
        client.send_as(way, _head_of(size, on.host))
        response = client.response()
        assert response.status == status
        if status == 431:
            assert_error(response, 431, "request_header_too_large")
            assert client.rest() == b""


@pytest.mark.parametrize(("count", "status"), [(FIELDS, 200), (FIELDS + 1, 431)])
def test_number_of_fields(stage: OpenStage, count: int, status: int) -> None:
    # spec: L1
    with stage(echo()) as on:
        response = on.door.ask(get("/", *[f"A{number}: 1" for number in range(count - 1)], host=on.host))
        assert response.status == status
        if status == 200:
            sent = [f"A{number}" for number in range(count - 1)]
            assert [name for name, _ in Echo(response).fields if name.startswith("A") and name in sent] == sent


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"GET /" + b"a" * (LINE + 10), 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * (LINE + 10), 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (FIELDS + 1), 431),
        (b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 1000 + b"\r\n") * 66, 431),
    ],
)
def test_a_head_that_never_ends_is_refused_as_soon_as_it_is_too_long(
    stage: OpenStage, begun: bytes, status: int
) -> None:
    # spec: L1
    with stage(echo()) as on, on.connect() as client:
        client.send_quietly(begun)
        assert_error(client.response(), status)
        assert client.rest() == b""


def _too_many_trailers() -> list[list[str]]:
    return [[_field(LINE + 1)], [_field(4000)] * 17, [f"A{number}: 1" for number in range(FIELDS + 1)]]


@pytest.mark.parametrize("way", ["whole", "split"])
@pytest.mark.parametrize("trailers", _too_many_trailers(), ids=["line", "total", "count"])
def test_trailers_count_like_headers(stage: OpenStage, trailers: list[str], way: str) -> None:
    # spec: L1
    with stage(echo()) as on, on.connect() as client:
        client.send_as(way, _chunked_post(on.host, chunked(b"hello", trailers=trailers)))
        assert_error(client.response(), 431, "request_header_too_large")
        assert client.rest() == b""
        wait_for(lambda: on.instance.settled, "the instance to be told")
        assert on.instance.requests == []


@pytest.mark.parametrize(
    "trailers", [[_field(LINE)], [f"A{number}: 1" for number in range(500)]], ids=["line", "count"]
)
def test_trailers_within_the_limits_pass(stage: OpenStage, trailers: list[str]) -> None:
    # spec: L1, F4
    with stage(echo()) as on:
        seen = Echo(on.door.ask(_chunked_post(on.host, chunked(b"hello", trailers=trailers)))).seen
        assert seen["length"] == 5


def _chunked_post(host: str, body: bytes) -> bytes:
    return message("POST /", "Transfer-Encoding: chunked", host=host, body=body)


def test_an_operator_may_set_other_limits(tmp_path: Path) -> None:
    # spec: L1, L2
    limits = {"header_line": 256, "header_total": "1K", "header_fields": 10, "body": "1KiB"}
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, limits=limits), tmp_path) as door:
        assert door.ask(message(_request_line(256))).status == 200
        assert door.ask(message(_request_line(257))).status == 414
        assert door.ask(get("/", _field(256))).status == 200
        assert door.ask(get("/", _field(257))).status == 431
        assert door.ask(get("/", *[_field(200)] * 4)).status == 200
        assert door.ask(get("/", *[_field(200)] * 5)).status == 431
        assert door.ask(get("/", *["A: b"] * 9)).status == 200
        assert door.ask(get("/", *["A: b"] * 10)).status == 431
        assert door.ask(post("/", b"x" * 1024)).status == 200
        assert door.ask(post("/", b"x" * 1025)).status == 413


@pytest.mark.parametrize("size", [BODY + 1, 10**12, 2**63 - 1])
def test_a_larger_content_length_is_refused_before_anything_is_sent_on(stage: OpenStage, size: int) -> None:
    # spec: L2
    with stage(echo()) as on, on.connect() as client:
        client.send(message("POST /too-large", f"Content-Length: {size}", host=on.host, body=b"first bytes"))
        assert_error(client.response(), 413, "request_body_too_large")
        assert client.rest() == b""
        assert on.instance.connections == 0
        assert_logged(on.door, 413, "request_body_too_large", target="/too-large", host=on.host)


def test_a_larger_content_length_with_expect_gets_413_and_no_100(stage: OpenStage) -> None:
    # spec: L2, F4
    with stage(echo()) as on, on.connect() as client:
        lines = (f"Content-Length: {BODY + 1}", "Expect: 100-continue")
        response = client.ask(message("PUT /", *lines, host=on.host))
        assert_error(response, 413)
        assert response.interim == ()


def test_exactly_100_mib_are_accepted(stage: OpenStage) -> None:
    # spec: L2
    with stage(echo()) as on, on.connect() as client:
        client.send(message("PUT /", f"Content-Length: {BODY}", host=on.host, body=b"x" * 1000))
        wait_for(lambda: b"\r\n\r\nx" in on.instance.seen, "the body to begin at the instance")
        client.reset()


def test_a_chunked_body_within_the_limit_passes_and_one_byte_more_is_refused(tmp_path: Path) -> None:
    # spec: L2
    limits = {"body": 50_000}
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, limits=limits), tmp_path) as door:
        pieces = [b"x" * 10_000] * 5
        assert Echo(door.ask(_chunked_post("shop.example.com", chunked(*pieces)))).seen["length"] == 50_000
        for extra in ([b"y"], [b"y" * 200_000]):
            with door.connect() as client:
                client.send_quietly(_chunked_post("shop.example.com", chunked(*pieces, *extra)))
                assert_error(client.response(), 413, "request_body_too_large")
                client.rest()
        wait_for(lambda: instance.settled, "the instance to see the end of its connections")
        assert len(instance.requests) == 1, "the instance saw a complete request"


def test_a_chunk_that_passes_the_limit_is_refused_before_its_end(tmp_path: Path) -> None:
    # spec: L2
    with Instance(echo()) as instance:
        with FrontDoor(configure(instance.address, limits={"body": 1000}), tmp_path) as door, door.connect() as client:
            client.send(_chunked_post("shop.example.com", b"fffffff\r\n" + b"x" * 1001))
            assert_error(client.response(), 413, "request_body_too_large")
        assert instance.requests == []


def test_connections_have_an_upper_bound(tmp_path: Path) -> None:
    # spec: L5
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            release.wait(30)
            peer.send(ok())

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, limits={"connections": 4}), tmp_path) as door,
    ):
        clients = [door.connect() for _ in range(4)]
        for client in clients:
            client.send(get("/busy"))
        instance.wait_requests(4)
        with door.connect() as late:
            late.send_quietly(get("/late"))
            response = late.response()
            assert_error(response, 503, "connection_limit_reached")
            assert int(response.one("retry-after")) >= 1
            assert late.rest() == b""
        release.set()
        for client in clients:
            assert client.response().status == 200
            client.close()
        wait_for(lambda: _status_of(door) == 200, "room for a new connection")
        assert len([request for request in instance.requests if request.target == b"/late"]) == 0


def _status_of(door: FrontDoor) -> int:
    with door.connect() as client:
        client.send_quietly(get("/again"))
        return client.response().status


def test_requests_waiting_for_an_instance_have_an_upper_bound(tmp_path: Path) -> None:
    # spec: L5
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            release.wait(30)
            peer.send(ok(request.target))

    limits = {"instance_connections": 1, "waiting": 2}
    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, limits=limits), tmp_path) as door,
        ExitStack() as stack,
    ):
        running = stack.enter_context(door.connect())
        running.send(get("/running"))
        instance.wait_requests(1)
        others = [stack.enter_context(door.connect()) for _ in range(5)]
        for client in others:
            client.send(get("/other"))
        refused = _readable(others, 3)
        for client in refused:
            response = client.response()
            assert_error(response, 503, "connection_limit_reached")
            assert int(response.one("retry-after")) >= 1
        release.set()
        assert running.response().body == b"/running"
        for client in others:
            if client not in refused:
                assert client.response().body == b"/other"
        assert instance.connections == 1


def _readable(clients: list[Client], count: int) -> list[Client]:
    """The clients that were answered, as soon as `count` of them are."""

    def answered() -> list[Client]:
        ready, _, _ = select.select([client.sock for client in clients], [], [], 0)
        return [client for client in clients if client.sock in ready] if len(ready) >= count else []

    found = wait_for(answered, f"{count} early replies")
    assert len(found) == count
    return found
