"""What instances write loosely is read, and goes on as it should have been written: clause F7."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import get, message
from tests.e2e.harness.instance import Peer, Script

START = b"HTTP/1.1 200 OK\r\n"
END = b"Content-Length: 2\r\n\r\nok"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


def _answers(data: bytes, way: str) -> Script:
    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send_bytewise(data) if way == "bytewise" else peer.send(data)

    return script


HEADS: dict[str, bytes] = {
    "a blank before the colon": START + b"X : y\r\n" + END,
    "a blank before the colon of a length": START + b"X: y\r\nContent-Length\t: 2\r\n\r\nok",
    "a fold": START + b"X:\r\n\ty\r\n" + END,
    "the same length twice": START + b"X: y\r\nContent-Length: 2\r\n" + END,
    "the same length in a list": START + b"X: y\r\nContent-Length: 2, 2\r\n\r\nok",
    "leading zeros": START + b"X: y\r\nContent-Length: 0002\r\n\r\nok",
    "lines that end with LF": b"HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok",
    "an interim response before": b"HTTP/1.1 103 Early Hints\nLink: <a>\n\n" + START + b"X : y\r\n" + END,
}


@pytest.mark.parametrize("way", ["whole", "bytewise"])
@pytest.mark.parametrize("name", HEADS)
def test_loose_heads_go_on_as_strict_ones(stage: OpenStage, name: str, way: str) -> None:
    # spec: F7; RFC 9112 sections 2.2, 5.1, 5.2, 6.3
    with stage(_answers(HEADS[name], way)) as on, on.connect() as client:
        for _ in range(2):
            response = client.ask(get(host=on.host))
            assert (response.status, response.one("x"), response.body) == (200, b"y", b"ok")
            assert response.one("content-length") == b"2"
        assert on.instance.connections == 1, "nothing was left behind a response"
        head = client.ask(message("HEAD /", host=on.host)) if way == "whole" and "interim" not in name else None
        assert head is None or head.one("content-length") == b"2"


BODIES: dict[str, bytes] = {
    "blanks behind sizes": b"5  \r\nhello\r\n0 \t\r\n\r\n",
    "blanks before extensions": b"5 ;a=b\r\nhello\r\n0\t;c\r\n\r\n",
    "zeros": b"0" * 300 + b"5\r\nhello\r\n" + b"0" * 300 + b"\r\n\r\n",
    "any extension": b'5; what is this="\r\nhello\r\n0;\r\n\r\n',
}


@pytest.mark.parametrize("way", ["whole", "bytewise"])
@pytest.mark.parametrize("name", BODIES)
def test_loose_chunks_go_on_as_strict_ones(stage: OpenStage, name: str, way: str) -> None:
    # spec: F7; RFC 9112 section 7.1
    with stage(_answers(CHUNKED + BODIES[name], way)) as on, on.connect() as client:
        for _ in range(2):
            response = client.ask(get(host=on.host))
            assert (response.status, response.body, response.framing) == (200, b"hello", "chunked")
        assert on.instance.connections == 1


def test_loose_trailers(stage: OpenStage) -> None:
    # spec: F7, H4
    body = b"5\r\nhello\r\n0\r\nX-Sum : a\r\n b\r\nContent-Length : 9\r\n\r\n"
    with stage(_answers(CHUNKED + body, "whole")) as on:
        response = on.door.ask(get(host=on.host))
        assert (response.body, response.trailers) == (b"hello", ((b"X-Sum", b"a b"),))


def test_a_long_response_may_be_padded_all_over(stage: OpenStage) -> None:
    # spec: F7: padding is bounded for each chunk, not for the whole
    chunks = b"00000001          ;name=value\r\nx\r\n" * 5000
    with stage(_answers(CHUNKED + chunks + b"0\r\n\r\n", "whole")) as on:
        assert on.door.ask(get(host=on.host)).body == b"x" * 5000
