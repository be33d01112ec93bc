"""Frames over HTTP/2 that come too late: what has been accepted is answered, and every connection gets closed."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.e2e.harness.client import HOST, Client
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2_raw import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WHOLE,
    WINDOW_UPDATE,
    Fields,
    RawHttp2,
    block,
    frame,
    number,
)
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.process import open_files
from tests.e2e.harness.scripts import hang, ok
from tests.e2e.harness.waiting import PATIENCE, wait_for

GET: Fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", HOST)]
POST: Fields = [(":method", "POST"), *GET[1:]]
REQUEST = frame(HEADERS, END_HEADERS, 3, block(POST))


def clear(instance: Instance, **top: Any) -> dict[str, Any]:
    return configure(instance.address, **{"listen": {"http": "127.0.0.1:0", "h2c": True}, **top})


@pytest.mark.parametrize(
    "late",
    [
        REQUEST + frame(DATA, 0, 3, b"hello") + frame(DATA, END_STREAM, 3, b"hello"),
        REQUEST + frame(RST_STREAM, 0, 3, number(8)),
        REQUEST + frame(WINDOW_UPDATE, 0, 3, number(100)),
    ],
    ids=["DATA", "RST_STREAM", "WINDOW_UPDATE"],
)
def test_a_request_after_the_last_goaway_harms_none_before_it(tmp_path: Path, late: bytes) -> None:
    go = Event()

    def script(peer: Peer) -> None:
        peer.request()
        assert go.wait(PATIENCE)
        peer.send(ok(b"slow"))

    with Instance(script) as instance, FrontDoor(clear(instance), tmp_path) as door:
        with RawHttp2(("127.0.0.1", door.http)) as client:
            client.send(frame(HEADERS, WHOLE, 1, block(GET)))
            instance.wait_requests(1)
            door.signal(signal.SIGTERM)
            for _ in range(2):
                assert client.wait(lambda got: got.kind == GOAWAY).value == 0
            client.send(late + frame(6, 0, 0, bytes(8)))
            client.wait(lambda got: got.kind == 6)
            go.set()
            assert client.status(client.wait(lambda got: got.kind == HEADERS and got.stream == 1)) == 200
            client.wait_for_the_end()
            assert not [got for got in client.came if got.kind == RST_STREAM or (got.kind == GOAWAY and got.value)]
        assert door.wait_end() == 0


def test_a_preface_in_two_pieces_leaves_no_socket_behind(tmp_path: Path) -> None:
    with Instance(hang) as instance, FrontDoor(clear(instance, workers=1), tmp_path) as door:
        (worker,) = door.workers
        before = open_files(worker)
        clients = [Client(("127.0.0.1", door.http)) for _ in range(3)]
        for client in clients:
            client.sock.sendall(PREFACE[:3])
        wait_for(lambda: open_files(worker) == before + len(clients), "the connections")
        for client in clients:
            client.sock.sendall(PREFACE[3:] + frame(SETTINGS, 0, 0) + frame(SETTINGS, 0, 5))
            while client.sock.recv(65536):
                pass
        wait_for(lambda: open_files(worker) == before, "the end of the connections, whose clients never close them")
        for client in clients:
            client.close()


def test_a_body_of_a_wrong_length_is_credited_once(tmp_path: Path) -> None:
    with Instance(hang) as instance, FrontDoor(clear(instance), tmp_path) as door:
        fields = block([*POST, ("content-length", "5")])
        with RawHttp2(("127.0.0.1", door.http)) as client:
            for stream in range(1, 121, 2):
                client.send(frame(HEADERS, END_HEADERS, stream, fields) + frame(DATA, 0, stream, bytes(16384)))
                assert client.wait(lambda got: got.kind == RST_STREAM).value == 1
            given = [got.value for got in client.came if got.kind == WINDOW_UPDATE and got.stream == 0][1:]
            assert 0 < sum(given) <= 60 * 16384
