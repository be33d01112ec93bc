"""Interim responses over HTTP/2 to a client that does not read: they are not kept for it."""

from __future__ import annotations

from pathlib import Path
from threading import Semaphore

from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2_raw import GOAWAY, HEADERS, RST_STREAM, WHOLE, RawHttp2, block, frame
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.process import memory
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import PATIENCE

HINTS = b"HTTP/1.1 103 Early Hints\r\n" + (b"Link: " + b"x" * 7000 + b"\r\n") * 8 + b"\r\n"
NUMBER = 190  # fewer than an instance may send at once
STREAMS = 4  # the system keeps what the first of them gets


def test_hints_that_are_not_read_take_no_memory(tmp_path: Path) -> None:
    told = Semaphore(0)

    def script(peer: Peer) -> None:
        peer.request()
        for _ in range(NUMBER):
            peer.send(HINTS)
        told.release()
        peer.send(ok(b"done"))

    with Instance(script) as instance:
        config = configure(instance.address, listen={"http": "127.0.0.1:0", "h2c": True}, workers=1)
        with FrontDoor(config, tmp_path) as door, RawHttp2(("127.0.0.1", door.http)) as client:
            (worker,) = door.workers
            before = memory(worker)
            fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "shop.example.com")]
            client.send(b"".join(frame(HEADERS, WHOLE, 2 * n + 1, block(fields)) for n in range(STREAMS)))
            assert all(told.acquire(timeout=PATIENCE) for _ in range(STREAMS))
            assert memory(worker) - before < STREAMS * NUMBER * len(HINTS) // 2
            for _ in range(STREAMS):
                assert client.wait(lambda got: got.ends).payload == b"done"
            assert not [got for got in client.came if got.kind in {RST_STREAM, GOAWAY}]
