"""What is forwarded means the same to servers of other makes: one request, this method and body, nothing behind it.

Inputs are hostile: mutated attacks and unusual but valid requests. What the front door made of each is given, byte for
byte, to every server, and behind it a request of our own, which must be the next one that the server answers.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.harness.client import Client, chunked, get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Malformed, Request, Response, Truncated
from tests.e2e.readers.report import FIELD, told
from tests.e2e.readers.servers import readers
from tests.e2e.test_fuzz import mutated

_ROUNDS = int(os.environ.get("LB_FUZZ_ROUNDS", "6"))
_INPUTS = 200  # a round
_TRAILERS = ("X-Sum: 1", "Content-Length: 3", "X-Real-IP: 1.2.3.4")
_UNUSUAL = (
    message("POST /a", "Transfer-Encoding: chunked", body=chunked(b"one", b"two", trailers=_TRAILERS)),
    message("POST /a", "Transfer-Encoding: chunked", body=b"3;x=y\r\nabc\r\n0003\r\ndef\r\n0;z\r\n\r\n"),
    message("POST /a", "Content-Length: 0003", body=b"abc"),
    message("GET /a", "Content-Length: 28", body=get("/x", host="a")),
    message("GET /a HTTP/1.0", "Connection: keep-alive", "Content-Length: 2", body=b"ab"),
    message("DELETE /a?b=%0d%0aX:y", "Content-Length: 5", body=b"GET /"),
    message("OPTIONS *"),
    message("OPTIONS /a", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
    message("PATCH //a/../b//c", "X-Empty:", "X-Tab:\ta\tb\t", "Content-Length: 1", body=b"\n"),
    message("GET /a", b"X-Latin: \xe4\xf6\xfc\xa0", "X_Under: 1", "Cookie: a=1", "Cookie: b=2"),
    message("POST /a", "Expect: 100-continue", "Content-Length: 4", body=b"\r\n\r\n"),
    message("POST /a", "Connection: X-Gone, Content-Type", "X-Gone: 1", "Content-Length: 2", body=b"0\r"),
    message("GET http://shop.example.com/absolute"),
    message("PROPFIND /a", "Depth: 1", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    message("POST /a", "Content-Length: 70000", body=(b"0\r\n\r\nGET /x HTTP/1.1\r\n" * 3500)[:70000]),
)


def _closes(peer: Peer) -> None:
    """One request a connection, so that all bytes of the connection are what was made of that one."""
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    with readers(tmp_path_factory.mktemp("readers")) as ports:
        yield ports


@pytest.fixture(scope="module")
def door_and_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FrontDoor, Instance]]:
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(_closes))
        directory: Path = tmp_path_factory.mktemp("forwarding")
        yield stack.enter_context(FrontDoor(configure(instance.address), directory)), instance


def _forwarded(door: FrontDoor, instance: Instance, inputs: list[bytes]) -> list[tuple[Request, bytes]]:
    """What the front door made of these: each request as it was meant, and its bytes."""
    peers, requests = len(instance.peers), len(instance.requests)
    for data in inputs:
        with door.connect() as client:
            client.send_quietly(data)
            if data in _UNUSUAL:
                assert client.response().status == 200, data
            else:
                client.half_close()
                client.rest()
    wait_for(lambda: instance.settled, "the instance to settle")
    whole = [peer for peer in instance.peers[peers:] if peer.served]
    assert all(peer.served == 1 for peer in whole)
    meant = {id(request): request for request in instance.requests[requests:]}
    assert len(meant) == len(whole)
    return [(request, bytes(peer.stream.record)) for request, peer in zip(meant.values(), whole, strict=True)]


def _report(answer: Response) -> str:
    return answer.one(FIELD.lower()).decode() if answer.has(FIELD.lower()) else ""


def _ask(port: int, request: Request, data: bytes) -> str:
    """What became of it at a server: "read", "refused", or what is wrong."""
    method = request.method.decode()
    with Client(("127.0.0.1", port)) as client:
        client.send_quietly(data)
        try:
            answer = client.response(method)
        except (Truncated, Malformed):
            return "refused"
        if answer.status != 200:
            return "refused"
        expected = told(method, "/", request.body)
        if answer.has(FIELD.lower()) and _report(answer) != expected:  # Apache answers OPTIONS * by itself
            return f"read as {_report(answer)} instead of {expected}"
        client.send_quietly(get("/sentinel"))
        try:
            answers = client.responses() if b"close" in answer.all("connection") else [client.response()]
        except Truncated:
            return "refused"
        for other in answers:
            if not _report(other).startswith("GET sentinel 0 "):
                return f"another request was read behind it: {other}"
        return "read"


@pytest.mark.parametrize("seed", range(_ROUNDS))
def test_servers_of_other_makes_read_the_same(
    door_and_instance: tuple[FrontDoor, Instance], servers: dict[str, int], seed: int
) -> None:
    # spec: F5
    chance = random.Random(seed)
    inputs = [mutated(chance) for _ in range(_INPUTS)] + list(_UNUSUAL)
    forwarded = _forwarded(*door_and_instance, inputs)
    assert len(forwarded) >= len(_UNUSUAL)
    for name, port in servers.items():
        outcomes = Counter(_ask_or_fail(name, port, request, data) for request, data in forwarded)
        assert outcomes["read"] > len(forwarded) / 2, (name, outcomes)


def test_a_request_behind_a_request_is_seen(
    door_and_instance: tuple[FrontDoor, Instance], servers: dict[str, int]
) -> None:
    request, data = _forwarded(*door_and_instance, [_UNUSUAL[0]])[0]
    for name, port in servers.items():
        if name != "gunicorn sync":  # which answers one request a connection
            assert _ask(port, request, data + get("/smuggled")).startswith("another request"), name


def _ask_or_fail(name: str, port: int, request: Request, data: bytes) -> str:
    outcome = _ask(port, request, data)
    assert outcome in ("read", "refused"), f"{name}: {outcome}; for {data[:500]!r}"
    return outcome
