"""What instances may send and must not get past the front door: clause F5, attacks 17, 26 and 27."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import chunk, get, message
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Peer, Script
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Malformed, Truncated

WAYS = ("whole", "bytewise")
LENGTH = b"Content-Length: 2\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def _head(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK\r\n") -> bytes:
    return status + b"".join(lines) + b"\r\n"


REFUSED: dict[str, bytes] = {
    "two lengths": _head(LENGTH, b"Content-Length: 3\r\n") + b"okk",
    "length and chunked": _head(LENGTH, CHUNKED) + b"2\r\nok\r\n0\r\n\r\n",
    "chunked and length": _head(CHUNKED, LENGTH) + b"2\r\nok\r\n0\r\n\r\n",
    "length list": _head(b"Content-Length: 2, 3\r\n") + b"ok",
    "length +2": _head(b"Content-Length: +2\r\n") + b"ok",
    "length -2": _head(b"Content-Length: -2\r\n") + b"ok",
    "length 0x2": _head(b"Content-Length: 0x2\r\n") + b"ok",
    "length empty": _head(b"Content-Length: \r\n") + b"ok",
    "length words": _head(b"Content-Length: two\r\n") + b"ok",
    "length 2^64": _head(b"Content-Length: 18446744073709551616\r\n") + b"ok",
    "coding unknown": _head(b"Transfer-Encoding: xchunked\r\n") + b"2\r\nok\r\n0\r\n\r\n",
    "coding gzip": _head(b"Transfer-Encoding: gzip\r\n") + b"ok",
    "coding order": _head(b"Transfer-Encoding: chunked, gzip\r\n") + b"2\r\nok\r\n0\r\n\r\n",
    "coding twice": _head(CHUNKED, CHUNKED) + b"2\r\nok\r\n0\r\n\r\n",
    "coding in 1.0": _head(CHUNKED, status=b"HTTP/1.0 200 OK\r\n") + b"2\r\nok\r\n0\r\n\r\n",
    "bare LF behind the status line": b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    "bare LF at the end": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok",
    "bare LF in a field": _head(b"X: y\nZ: w\r\n", LENGTH) + b"ok",
    "bare CR in a field": _head(b"X: y\rZ: w\r\n", LENGTH) + b"ok",
    "bare CR behind the head": _head(LENGTH)[:-2] + b"\rX: y\r\n\r\nok",
    "NUL in a value": _head(b"X: a\x00b\r\n", LENGTH) + b"ok",
    "control in a value": _head(b"X: a\x1bb\r\n", LENGTH) + b"ok",
    "NUL in a name": _head(b"X\x00: y\r\n", LENGTH) + b"ok",
    "two lengths, one behind a space": _head(LENGTH, b"Content-Length : 3\r\n") + b"ok",
    "length and chunked behind a space": _head(LENGTH, b"Transfer-Encoding : chunked\r\n") + b"2\r\nok\r\n0\r\n\r\n",
    "length in a fold": _head(b"Content-Length: 2\r\n 2\r\n") + b"ok",
    "a fold of blanks": _head(b"X: y\r\n \r\n", LENGTH) + b"ok",
    "space in a name": _head(b"X Y: z\r\n", LENGTH) + b"ok",
    "no colon": _head(b"X\r\n", LENGTH) + b"ok",
    "empty name": _head(b": y\r\n", LENGTH) + b"ok",
    "space first": _head(b" X: y\r\n", LENGTH) + b"ok",
    "status of two digits": _head(LENGTH, status=b"HTTP/1.1 20 OK\r\n") + b"ok",
    "status of four digits": _head(LENGTH, status=b"HTTP/1.1 2000 OK\r\n") + b"ok",
    "status in words": _head(LENGTH, status=b"HTTP/1.1 OK 200\r\n") + b"ok",
    "status 099": _head(LENGTH, status=b"HTTP/1.1 099 OK\r\n") + b"ok",
    "status 600": _head(LENGTH, status=b"HTTP/1.1 600 OK\r\n") + b"ok",
    "status 999": _head(LENGTH, status=b"HTTP/1.1 999 OK\r\n") + b"ok",
    "no status": _head(LENGTH, status=b"HTTP/1.1\r\n") + b"ok",
    "two spaces": _head(LENGTH, status=b"HTTP/1.1  200 OK\r\n") + b"ok",
    "HTTP/2": _head(LENGTH, status=b"HTTP/2 200 OK\r\n") + b"ok",
    "HTTP/2.0": _head(LENGTH, status=b"HTTP/2.0 200 OK\r\n") + b"ok",
    "lower case": _head(LENGTH, status=b"http/1.1 200 OK\r\n") + b"ok",
    "ICY": _head(LENGTH, status=b"ICY 200 OK\r\n") + b"ok",
    "control in the reason": _head(LENGTH, status=b"HTTP/1.1 200 O\x00K\r\n") + b"ok",
    "space before": b" " + _head(LENGTH) + b"ok",
    "a body alone": b"<html>hello</html>\r\n\r\n",
    "a request": get("/from-the-instance"),
    "length in an interim response": _head(LENGTH, status=b"HTTP/1.1 103 Early Hints\r\n") + b"ok" + ok(),
}


def _once(data: bytes, way: str = "whole") -> Script:
    """The first connection answers with `data`, every later one in order."""

    def script(peer: Peer) -> None:
        peer.request()
        if peer.number == 0:
            peer.send_bytewise(data) if way == "bytewise" else peer.send(data)
            peer.wait_gone()
        peer.send(ok(b"in order"))
        peer.wait_gone()

    return script


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", REFUSED)
def test_an_ambiguous_response_becomes_502_and_its_connection_is_not_used_again(
    stage: OpenStage, name: str, way: str
) -> None:
    # spec: F5, E1
    with stage(_once(REFUSED[name], way)) as on, on.connect() as client:
        response = client.ask(message("POST /bad", "Content-Length: 0", host=on.host))
        assert_error(response, 502, "http_protocol_error")
        wait_for(lambda: on.instance.peers[0].gone, "the instance's connection to be closed")
        assert client.ask(get("/good", host=on.host)).body == b"in order"
        assert_logged(on.door, 502, "http_protocol_error", target="/bad", host=on.host)


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\nok\r\n0\r\n\r\n",
        b"0x2\r\nok\r\n0\r\n\r\n",
        b"-2\r\nok\r\n0\r\n\r\n",
        b"2\r\nokXX0\r\n\r\n",
        b"2\nok\r\n0\r\n\r\n",
        b"2\r\nok\n0\r\n\r\n",
        b"2;a\nok\r\n0\r\n\r\n",
        b"10000000000000002\r\nok\r\n0\r\n\r\n",
        b"2 2\r\nok\r\n0\r\n\r\n",
        b" 2\r\nok\r\n0\r\n\r\n",
        b"2 \nok\r\n0\r\n\r\n",
        b"2\r\nok\r\n0\r\nX: y\n\r\n",
        b"2\r\nok\r\n0\r\n X: y\r\n\r\n",
        b"2\r\nok\r\n0\r\n\rX: y\r\n\r\n",
        b"2;" + b"a" * 100_000 + b"\r\nok\r\n0\r\n\r\n",
        b"2\r\nok\r\n0\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
    ],
)
def test_bad_chunks_end_the_response_as_incomplete(stage: OpenStage, body: bytes) -> None:
    # spec: F5, E1
    with stage(_once(_head(CHUNKED) + body)) as on:
        with on.connect() as client:
            client.send(message("POST /bad-chunks", "Content-Length: 0", "Connection: close", host=on.host))
            with suppress(Truncated, Malformed):
                response = client.response()
                assert_error(response, 502)
            assert not client.rest().endswith(b"0\r\n\r\n")
        wait_for(lambda: on.instance.peers[0].gone, "the instance's connection to be closed")
        entry = on.door.wait_log(target="/bad-chunks", host=on.host)
        assert entry["cause"] in {"http_protocol_error", "http_response_header_section_size"}
        assert on.door.ask(get("/good", host=on.host)).body == b"in order"


@pytest.mark.parametrize("coding", ["", "Accept-Encoding: gzip"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\r\n5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    ],
)
def test_a_bad_body_in_the_packet_of_its_head_is_an_error_and_no_broken_connection(
    stage: OpenStage, body: bytes, version: str, coding: str
) -> None:
    # spec: F7, E1, E2: nothing of the response has gone out, so the client can be told
    data = _head(b"Content-Type: text/plain\r\n", CHUNKED) + body
    with stage(_once(data)) as on, on.connect() as client:
        lines = [coding] if coding else []
        response = client.ask(message(f"GET /one-packet HTTP/{version}", *lines, host=on.host))
        assert_error(response, 502, "http_protocol_error")
        assert not response.has("content-encoding")
        entry = assert_logged(on.door, 502, "http_protocol_error", target="/one-packet", host=on.host)
        assert entry["bytes_sent"] == len(response.body)


SPLIT = ok(b"split", "X-Split: yes")


@pytest.mark.parametrize(
    ("method", "data", "status", "body"),
    [
        ("GET", ok(b"ok") + SPLIT, 200, b"ok"),
        ("GET", ok(b"ok") + b"x", 200, b"ok"),
        ("GET", _head(CHUNKED) + b"2\r\nok\r\n0\r\n\r\n" + SPLIT, 200, b"ok"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n" + SPLIT, 204, b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", 304, b""),
        ("HEAD", ok(b"hello"), 200, b""),
        ("HEAD", _head(CHUNKED) + chunk(b"hello") + b"0\r\n\r\n", 200, b""),
    ],
)
def test_bytes_behind_the_end_are_dropped_with_the_connection(
    stage: OpenStage, method: str, data: bytes, status: int, body: bytes
) -> None:
    # spec: F5; attack 27
    with stage(_once(data)) as on, on.connect() as client:
        response = client.ask(message(f"{method} /", host=on.host))
        assert (response.status, response.body) == (status, body)
        assert client.ask(get("/next", host=on.host)).body == b"in order"
        assert not client.stream.pending


@pytest.mark.parametrize("line", [b"Content-Length: 5\r\n", CHUNKED])
def test_a_204_with_a_body(stage: OpenStage, line: bytes) -> None:
    # spec: F5; RFC 9112 section 6.3
    body = b"hello" if line.startswith(b"Content") else chunk(b"hello") + b"0\r\n\r\n"
    with stage(_once(_head(line, status=b"HTTP/1.1 204 No Content\r\n") + body)) as on, on.connect() as client:
        response = client.ask(message("POST /", "Content-Length: 0", host=on.host))
        assert (response.status, response.body) == (204, b"")
        assert client.ask(get("/next", host=on.host)).body == b"in order"


def test_an_answer_that_nobody_asked_for_is_not_given_to_the_next(stage: OpenStage) -> None:
    # spec: F5: response queue poisoning
    send, sent = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"first"))
        if peer.number == 0:
            send.wait(20)
            peer.send(SPLIT)
            sent.set()
            peer.wait_gone()
        peer.wait_gone()

    with stage(script) as on, on.connect() as client:
        assert client.ask(get("/a", host=on.host)).body == b"first"
        send.set()
        assert sent.wait(10)
        wait_for(lambda: on.instance.peers[0].gone, "the poisoned connection to be closed")
        assert client.ask(get("/b", host=on.host)).body == b"first"


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"])
def test_endless_interim_responses_end(stage: OpenStage, interim: bytes) -> None:
    # spec: F5; attack 27
    def script(peer: Peer) -> None:
        peer.request()
        while True:
            peer.send(interim * 100)

    with stage(script) as on, on.connect() as client:
        response = client.ask(message("POST /endless", "Content-Length: 0", host=on.host))
        assert_error(response, 502, "http_protocol_error", "http_response_header_section_size")
        wait_for(lambda: on.instance.peers[0].gone, "the instance's connection to be closed")


def test_a_head_without_end_is_bounded(stage: OpenStage) -> None:
    # spec: F5; attack 27
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.send(b"X: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 100)

    with stage(script) as on:
        response = on.door.ask(message("POST /", "Content-Length: 0", host=on.host))
        assert_error(response, 502, "http_response_header_section_size")


def test_an_answer_before_the_request_is_not_trusted(stage: OpenStage) -> None:
    # spec: F5
    def script(peer: Peer) -> None:
        if peer.number == 0:
            peer.send(SPLIT)
        peer.request()
        peer.send(ok(b"asked for"))
        peer.wait_gone()

    with stage(script) as on:
        response = on.door.ask(get(host=on.host))
        assert response.status in {200, 502}  # whichever of the two was first
        again = on.door.ask(get("/again", host=on.host))
        assert again.body == b"asked for"
