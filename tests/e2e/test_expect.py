"""`Expect: 100-continue` from end to end, and its abuses: clause F4, attack 6."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import chunk, chunked, get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import Echo, echo, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import read_chunk

EXPECT = "Expect: 100-continue"


def _continuing(peer: Peer) -> None:
    while True:
        head = peer.head()
        if head.has("expect"):
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        request = peer.body(head)
        peer.send(ok(request.target + b" " + request.body))


def test_the_instance_decides_and_the_body_follows(streaming: OpenStage) -> None:
    # spec: F4
    with streaming(_continuing) as on, on.connect() as client:
        client.send(message("PUT /up", EXPECT, "Content-Length: 5", host=on.host))
        assert client.head().status == 100
        client.send(b"hello")
        assert client.response().body == b"/up hello"
        assert client.ask(get("/next", host=on.host)).body == b"/next "


def test_a_client_that_does_not_wait_is_served(streaming: OpenStage) -> None:
    # spec: F4
    with streaming(_continuing) as on, on.connect() as client:
        for way in ("whole", "bytewise"):
            lines = (EXPECT, "Transfer-Encoding: chunked")
            client.send_as(way, message("PUT /up", *lines, host=on.host, body=chunked(b"hello")))
            assert client.response().body == b"/up hello"


def test_an_instance_that_never_says_continue_is_served_too(streaming: OpenStage) -> None:
    # spec: F4
    with streaming(echo()) as on, on.connect() as client:
        client.send(message("PUT /", EXPECT, "Content-Length: 5", host=on.host))
        wait_for(lambda: b"\r\n\r\n" in on.instance.seen, "the head at the instance")
        client.send(b"hello")
        assert Echo(client.response()).seen["length"] == 5


def test_a_client_that_waits_is_told_to_go_on_where_the_instance_says_nothing(streaming: OpenStage) -> None:
    # spec: F4: an app server that knows nothing of expectations waits for a body that its client keeps back
    with streaming(echo()) as on, on.connect() as client:
        for line, body in (("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", chunked(b"hello"))):
            client.send(message("PUT /", EXPECT, line, host=on.host))
            assert client.head().status == 100
            client.send(body)
            response = client.response()
            assert Echo(response).seen["length"] == 5
            assert response.interim == ()


def test_it_is_told_so_once(streaming: OpenStage) -> None:
    # spec: F4
    def script(peer: Peer) -> None:
        head = peer.head()
        told.wait(20)
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.send(ok(peer.body(head).body))

    told = threading.Event()
    with streaming(script) as on, on.connect() as client:
        client.send(message("PUT /", EXPECT, "Content-Length: 5", host=on.host))
        assert client.head().status == 100
        told.set()
        client.send(b"hello")
        response = client.response()
        assert (response.interim, response.body) == ((), b"hello")


@pytest.mark.parametrize("begun", [b"", b"5"])
def test_it_is_not_told_so_in_the_middle_of_a_response(streaming: OpenStage, begun: bytes) -> None:
    # spec: F4, F5: an instance that answers without the body has decided, however long its answer takes
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
        threading.Event().wait(2.0)
        peer.send(chunk(b"second") + b"0\r\n\r\n")
        peer.wait_gone()

    with streaming(script) as on, on.connect() as client:
        client.send(message("PUT /", EXPECT, "Transfer-Encoding: chunked", host=on.host))
        assert client.head().status == 200
        client.send(begun)
        assert read_chunk(client.stream) == b"first"
        assert read_chunk(client.stream) == b"second"
        assert read_chunk(client.stream) == b""


def test_a_client_that_has_begun_its_body_is_not_told_to_begin(streaming: OpenStage) -> None:
    # spec: F4
    def script(peer: Peer) -> None:
        head = peer.head()
        wait_for(lambda: b"5" in peer.stream.pending or peer.stream.fill(), "the body")
        peer.send(ok(peer.body(head).body))

    with streaming(script) as on, on.connect() as client:
        client.send(message("PUT /", EXPECT, "Transfer-Encoding: chunked", host=on.host))
        wait_for(lambda: b"\r\n\r\n" in on.instance.seen, "the head at the instance")
        client.send(b"5")
        threading.Event().wait(2.0)
        client.send(b"\r\nhello\r\n0\r\n\r\n")
        response = client.response()
        assert (response.interim, response.body) == ((), b"hello")


def test_a_short_time_to_answer_is_not_spent_on_waiting_for_a_body(tmp_path: Path) -> None:
    # spec: F4, L3
    with (
        Instance(echo()) as instance,
        FrontDoor(configure(instance.address, timeouts={"response": 0.5}), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(message("PUT /", EXPECT, "Content-Length: 5"))
        assert client.head().status == 100
        client.send(b"hello")
        assert Echo(client.response()).seen["length"] == 5


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "417 Expectation Failed"])
def test_a_final_answer_instead_of_continue_shifts_nothing(streaming: OpenStage, status: str) -> None:
    # spec: F4; attack 6
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(ok(b"early", status=status))
        peer.body(peer.head())  # whatever comes next on this connection must not be a body or another request
        raise AssertionError("the connection was used again")

    with streaming(script) as on, on.connect() as client:
        smuggled = get("/smuggled", host=on.host)
        client.send(message("PUT /up", EXPECT, f"Content-Length: {len(smuggled)}", host=on.host))
        response = client.response()
        assert (response.status, response.body) == (int(status[:3]), b"early")
        client.send_quietly(smuggled)
        assert client.rest() == b"", "what followed was taken for a request"
        wait_for(lambda: on.instance.open_connections == 0, "the instance's connection to be closed")
        assert on.instance.requests == []


@pytest.mark.parametrize("value", ["101-continue", "100-continue-not", "100-continue, x", "x", "100", '"100-continue"'])
def test_another_expectation_is_refused(stage: OpenStage, value: str) -> None:
    # spec: F4; RFC 9110 section 10.1.1
    with stage(echo()) as on, on.connect() as client:
        client.send_quietly(message("PUT /", f"Expect: {value}", "Content-Length: 5", host=on.host, body=b"hello"))
        assert_error(client.response(), 417, "expectation_failed")
        assert on.instance.requests == []


def test_the_expectation_is_compared_without_case(stage: OpenStage) -> None:
    # spec: F4; RFC 9110 section 10.1.1
    with stage(_continuing) as on, on.connect() as client:
        client.send(message("PUT /up", "expect: 100-Continue", "Content-Length: 5", host=on.host))
        assert client.head().status == 100
        client.send(b"hello")
        assert client.response().body == b"/up hello"


@pytest.mark.parametrize("lines", [(EXPECT, EXPECT), ("Expect: 100-continue\r\n x",), ("Expect:\r\n 100-continue",)])
def test_repeated_or_folded_expectations_shift_nothing(streaming: OpenStage, lines: tuple[str, ...]) -> None:
    # spec: F5; attack 6
    with streaming(echo()) as on, on.connect() as client:
        smuggled = get("/smuggled", host=on.host)
        head = message("PUT /up", *lines, f"Content-Length: {len(smuggled)}", host=on.host)
        client.send_quietly(head + smuggled)
        client.half_close()
        client.rest()
        wait_for(lambda: on.instance.settled, "the instance to settle")
        assert b"/smuggled" not in [request.target for request in on.instance.requests]


def test_http_1_0_expects_nothing(stage: OpenStage) -> None:
    # spec: F4; RFC 9110 section 10.1.1: a 1.0 expectation is ignored, and no 100 goes to a 1.0 client
    with stage(_continuing) as on:
        data = message("PUT /up HTTP/1.0", EXPECT, "Content-Length: 5", host=on.host, body=b"hello")
        response = on.door.ask(data)
        assert response.interim == ()
        assert response.body == b"/up hello"


def test_a_get_without_body_that_expects(stage: OpenStage) -> None:
    # spec: F4
    with stage(_continuing) as on, on.connect() as client:
        assert client.ask(get("/a", EXPECT, host=on.host)).body == b"/a "
        assert client.ask(get("/b", host=on.host)).body == b"/b "
