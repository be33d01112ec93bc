"""Mutated requests: whatever comes in, what goes out means the same to every reader. Clause F5.

The oracles are the strict reader of this harness, httptools (llhttp) and h11: for the bytes of every connection to the
instance they must agree on the number of requests and on their bodies.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import h11
import httptools
import pytest

from tests.e2e.attack_table import ACCEPTED, REFUSED
from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Truncated

SEEDS = [data for data in [one.data for one in ACCEPTED] + [one.data for one in REFUSED] if len(data) < 2000]
PIECES = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b":", b";", b",", b"0", b"5", b"\r\n\r\n", b"chunked", b"\x0b",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"\xff",
    b"Host: shop.example.com\r\n",
    b"0\r\n\r\n", b"5\r\nhello\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.0", b"HTTP/1.1",
    b"GET /x HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
)  # fmt: skip


def mutated(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at:at] = chance.choice(PIECES)
            case 1:
                del data[at : at + chance.randrange(1, 6)]
            case 2:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                other = chance.choice(SEEDS)
                data[at:] = other[chance.randrange(len(other)) :]
    return bytes(data)


def _answers(peer: Peer) -> None:
    while True:
        peer.request()
        peer.send(ok())


@pytest.fixture(scope="module")
def door_and_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FrontDoor, Instance]]:
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(_answers))
        directory: Path = tmp_path_factory.mktemp("fuzz")
        yield stack.enter_context(FrontDoor(configure(instance.address), directory)), instance


class _Bodies:
    """Collects what llhttp reads."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self._body = bytearray()

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self.found.append(bytes(self._body))
        self._body.clear()


def _by_llhttp(data: bytes) -> list[bytes]:
    bodies = _Bodies()
    httptools.HttpRequestParser(bodies).feed_data(data)
    return bodies.found


def _by_h11(data: bytes) -> list[bytes]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(data)
    found, body = [], bytearray()
    while not isinstance(event := connection.next_event(), type) and not isinstance(event, h11.ConnectionClosed):
        if isinstance(event, h11.Data):
            body += event.data
        if isinstance(event, h11.EndOfMessage):
            found.append(bytes(body))
            body.clear()
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                break
            connection.start_next_cycle()
    return found


@pytest.mark.parametrize("seed", range(24))
def test_what_is_forwarded_means_one_thing(door_and_instance: tuple[FrontDoor, Instance], seed: int) -> None:
    # spec: F5
    door, instance = door_and_instance
    chance = random.Random(seed)
    first_peer = len(instance.peers)
    for _ in range(25):
        before = len(instance.requests)
        data = mutated(chance) + mutated(chance)
        with door.connect() as client:
            client.send_split(data + get("/last"), seed=chance.randrange(1 << 30))
            client.half_close()
            try:
                answered = client.responses()
            except Truncated:
                pytest.fail(f"half a response to {data!r}")
        wait_for(lambda: instance.settled, "the instance to settle")
        served = len(instance.requests) - before
        good = sum(response.status == 200 for response in answered)
        assert served >= good, f"{good} answers to {served} requests for {data!r}"
        assert not instance.violations, f"{instance.violations} for {data!r}"
    for peer in instance.peers[first_peer:]:
        sent = bytes(peer.stream.record)
        read = peer.served
        assert len(_by_llhttp(sent)) == read, sent
        assert len(_by_h11(sent)) in {read, min(read, 1)}, sent
