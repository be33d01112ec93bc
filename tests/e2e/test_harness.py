"""The harness tested against itself: without a front door between, both sides must agree on every byte."""

from __future__ import annotations

import pytest

from tests.e2e.harness.client import Client, chunked, get, message, post
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import Echo, answer, close_unanswered, echo, ok, reset_unanswered
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Malformed, Truncated


def _address(instance: Instance) -> tuple[str, int]:
    host, port = instance.address.rsplit(":", 1)
    return host, int(port)


def test_echo_tells_what_it_saw() -> None:
    with Instance(echo()) as instance, Client(_address(instance)) as client:
        seen = Echo(client.ask(post("/a?b", b"hello", "X-Odd: caf\xe9")))
        again = Echo(client.ask(get("/c")))
    assert (seen.method, seen.target, seen.seen["length"]) == ("POST", "/a?b", 5)
    assert seen.one("x-odd") == "caf\xe9"
    assert (again.target, again.connection) == ("/c", seen.connection)


@pytest.mark.parametrize("way", ["whole", "bytewise", "split"])
def test_a_chunked_request_is_read_however_it_comes(way: str) -> None:
    data = message("PUT /x", "Transfer-Encoding: chunked", body=chunked(b"abc", b"de", trailers=["X-Sum: 5"]))
    with Instance(echo()) as instance, Client(_address(instance)) as client:
        client.send_as(way, data)
        seen = Echo(client.response())
    assert seen.seen["length"] == 5
    assert seen.seen["trailers"] == [["X-Sum", "5"]]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x00\r\n\r\n",
    ],
)
def test_the_instance_finds_ambiguous_requests(data: bytes) -> None:
    instance = Instance(echo())
    with Client(_address(instance)) as client:
        client.send(data)
        assert client.rest() == b""
    wait_for(lambda: instance.violations, "the finding")
    instance.stop()
    with pytest.raises(AssertionError, match="front door sent"):
        instance.check()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
    ],
)
def test_the_client_finds_ambiguous_responses(data: bytes) -> None:
    with Instance(answer(data)) as instance, Client(_address(instance)) as client, pytest.raises(Malformed):
        client.ask(get())


def test_a_response_cut_short_is_told() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"hello")[:-1])

    with Instance(script) as instance, Client(_address(instance)) as client, pytest.raises(Truncated):
        client.ask(get())


def test_reset_and_close_are_told_apart() -> None:
    for script, was_reset in ((close_unanswered, False), (reset_unanswered, True)):
        with Instance(script) as instance, Client(_address(instance)) as client:
            client.send(get())
            assert client.rest() == b""
            assert client.stream.was_reset is was_reset


def test_a_script_that_fails_fails_the_test() -> None:
    def script(peer: Peer) -> None:
        assert peer.request().method == b"PUT"

    instance = Instance(script)
    with Client(_address(instance)) as client:
        client.send(get())
        client.rest()
    wait_for(lambda: instance.failures, "the failure")
    instance.stop()
    with pytest.raises(AssertionError, match="script failed"):
        instance.check()
