"""Uploads behind a slow guard: what the client sends meanwhile waits, and the rest comes when it may pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from tests.e2e.harness.client import Client, chunk, get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2 import Http2Client, fields_of
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import PATIENCE

BODY = bytes(range(256)) * 1200  # 307,200 bytes
DIGEST = hashlib.sha256(BODY).hexdigest().encode()


class Judge:
    """Lets every request pass, once `go` is set."""

    def __init__(self) -> None:
        self.go = Event()

    def __call__(self, peer: Peer) -> None:
        while True:
            peer.request()
            assert self.go.wait(PATIENCE)
            peer.send(ok(b"fine"))


def digesting(peer: Peer) -> None:
    while True:
        peer.send(ok(hashlib.sha256(peer.request().body).hexdigest().encode()))


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def asked(judge: Judge) -> Iterator[Instance]:
    with Instance(judge) as instance:
        yield instance


@pytest.fixture
def door(asked: Instance, tmp_path: Path) -> Iterator[FrontDoor]:
    with Instance(digesting) as instance:
        config = configure(
            instance.address, workers=1, listen={"http": "127.0.0.1:0", "h2c": True}, timeouts={"read": "3s"}
        )
        config["apps"]["shop"]["routes"] = [{"path": "/private/", "forward_auth": f"http://{asked.address}/"}]
        with FrontDoor(config, tmp_path) as running:
            yield running


def upload(client: Client, framing: str) -> bytes:
    if framing == "length":
        client.send(message("POST /private/", f"Content-Length: {len(BODY)}", body=BODY))
    else:
        client.send(message("POST /private/", "Transfer-Encoding: chunked") + chunk(BODY) + b"0\r\n\r\n")
    return client.response().body


def upload_http2(client: Http2Client, framing: str) -> bytes:
    length = (("content-length", str(len(BODY))),) if framing == "length" else ()
    stream = client.begin(fields_of("POST", "/private/", *length), ended=False)
    client.send(stream, BODY)
    client.finish(stream)
    return bytes(stream.body)


# spec: P3, F6
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("protocol", ["HTTP/1", "HTTP/2"])
def test_an_upload_behind_a_guard_that_takes_time(
    door: FrontDoor, judge: Judge, asked: Instance, protocol: str, framing: str
) -> None:
    address = ("127.0.0.1", door.http)
    with ThreadPoolExecutor(1) as pool:
        answer: Future[bytes]
        if protocol == "HTTP/1":
            with door.connect() as client:
                answer = pool.submit(upload, client, framing)
                let_in(door, judge, asked)
                assert answer.result() == DIGEST
        else:
            with Http2Client(address) as http2:
                answer = pool.submit(upload_http2, http2, framing)
                let_in(door, judge, asked)
                assert answer.result() == DIGEST


def let_in(door: FrontDoor, judge: Judge, asked: Instance) -> None:
    """Let the request pass when much of its body has arrived."""
    asked.wait_requests(1)
    for _ in range(5):  # the worker has rounds, in each of which it reads what has come
        door.ask(get("/"))
    judge.go.set()
