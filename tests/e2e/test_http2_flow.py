"""Flow control over HTTP/2: a slow side slows its own stream down, and nobody else on the connection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2 import Http2Client, fields_of
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import PATIENCE

LARGE = bytes(range(256)) * 40_000  # 10 MB


class App:
    """Answers at once; `/stuck` reads no body until `go`, `/sum` answers with the body's digest."""

    def __init__(self) -> None:
        self.go = Event()

    def __call__(self, peer: Peer) -> None:
        while True:
            head = peer.head()
            if head.target == b"/stuck":
                assert self.go.wait(PATIENCE)
            request = peer.body(head)
            if head.target == b"/large":
                peer.send(ok(LARGE))
            else:
                peer.send(ok(hashlib.sha256(request.body).hexdigest().encode()))


@pytest.fixture(scope="module")
def app() -> App:
    return App()


@pytest.fixture(scope="module")
def door(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    with Instance(app) as instance:
        config = configure(instance.address, listen={"http": "127.0.0.1:0", "h2c": True}, timeouts={"read": "5s"})
        with FrontDoor(config, tmp_path_factory.mktemp("door")) as running:
            yield running


def test_a_large_upload(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        stream = client.post("/sum", LARGE)
        client.finish(stream)
        assert bytes(stream.body).decode() == hashlib.sha256(LARGE).hexdigest()


def test_several_uploads_at_once(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        streams = [client.begin(fields_of("POST", "/sum"), ended=False) for _ in range(5)]
        for at in range(0, 1_000_000, 50_000):
            for stream in streams:
                client.send(stream, LARGE[at : at + 50_000], ended=False)
        for stream in streams:
            client.send(stream, b"")
        client.finish(*streams)
        assert {bytes(stream.body).decode() for stream in streams} == {hashlib.sha256(LARGE[:1_000_000]).hexdigest()}


def test_the_window_of_a_fast_upload_grows(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        stream = client.begin(fields_of("POST", "/sum"), ended=False)
        client.send(stream, LARGE, ended=False)
        client.read_until(lambda: client.h2.local_flow_control_window(stream.number) > 1_000_000)
        client.send(stream, b"")
        client.finish(stream)


def test_an_instance_that_does_not_read_stops_its_own_client_only(door: FrontDoor, app: App) -> None:
    body = LARGE * 4  # more than the buffers of the system and the largest window hold
    with Http2Client(("127.0.0.1", door.http)) as client:
        stuck = client.begin(fields_of("POST", "/stuck"), ended=False)
        sent = 0
        client.sock.settimeout(0.5)
        with suppress(TimeoutError):
            while sent < len(body):
                size = min(client.h2.local_flow_control_window(stuck.number), 16384)
                if size <= 0:
                    client.read()
                    continue
                client.h2.send_data(stuck.number, body[sent : sent + size])
                client.flush()
                sent += size
        client.sock.settimeout(PATIENCE)
        assert sent < len(body), "it took everything"
        other = client.post("/sum", LARGE[:500_000])
        client.finish(other)
        assert other.status == 200
        app.go.set()
        client.send(stuck, body[sent:])
        client.finish(stuck)
        assert bytes(stuck.body).decode() == hashlib.sha256(body).hexdigest()


def test_an_upload_that_has_to_wait_for_its_instance(tmp_path: Path) -> None:
    """All that its window allows has come before anything of it is taken."""
    app = App()
    with Instance(app) as instance:
        config = configure(
            instance.address, listen={"http": "127.0.0.1:0", "h2c": True}, limits={"instance_connections": 1}
        )
        with FrontDoor(config, tmp_path) as door, Http2Client(("127.0.0.1", door.http)) as client:
            first = client.get("/stuck")
            instance.wait_peers(1)
            upload = client.begin(fields_of("POST", "/sum"), ended=False)
            client.send(upload, LARGE[:65535], ended=False)
            assert client.ask("/", host="nobody.example.com").status == 404  # so all of it has arrived
            app.go.set()
            client.send(upload, LARGE[65535:300_000])
            client.finish(first, upload)
            assert bytes(upload.body).decode() == hashlib.sha256(LARGE[:300_000]).hexdigest()


def test_data_of_refused_streams_is_given_credit_for(door: FrontDoor) -> None:
    """Otherwise the connection's window would shut after a megabyte."""
    with Http2Client(("127.0.0.1", door.http)) as client:
        for _ in range(40):
            stream = client.begin(fields_of("POST", "/", host="nobody.example.com"), ended=False)
            client.h2.send_data(stream.number, b"x" * 16384)
            client.h2.send_data(stream.number, b"x" * 16384)
            client.h2.send_data(stream.number, b"x" * 16384)
            client.flush()
            client.finish(stream)
        last = client.post("/sum", LARGE[:200_000])
        client.finish(last)
        assert last.status == 200


def test_padding_is_given_credit_for(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        stream = client.begin(fields_of("POST", "/sum"), ended=False)
        for _ in range(1000):
            while client.h2.local_flow_control_window(stream.number) < 300:
                client.read()
            client.h2.send_data(stream.number, b"abc", pad_length=250)
            client.flush()
        client.send(stream, b"")
        client.finish(stream)
        assert bytes(stream.body).decode() == hashlib.sha256(b"abc" * 1000).hexdigest()


def test_a_client_that_reads_slowly_gets_everything(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http), settings={4: 1000}) as client:
        client.read_until(lambda: client.settings)
        stream = client.get("/sum")
        client.finish(stream)
        assert stream.status == 200


def test_a_window_that_the_client_makes_smaller_and_larger(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http), credit=False) as client:
        stream = client.get("/large")
        client.read_until(lambda: len(stream.body) == 65535)
        client.h2.update_settings({4: 10})
        client.flush()
        client.h2.update_settings({4: 1 << 20})
        client.h2.increment_flow_control_window(20_000_000)
        client.flush()
        client.read_until(lambda: len(stream.body) == 1 << 20)
        client.h2.increment_flow_control_window(20_000_000, stream.number)
        client.flush()
        client.finish(stream)
        assert bytes(stream.body) == LARGE


def test_ten_downloads_and_small_requests_beside_them(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        large = [client.get("/large") for _ in range(10)]
        for _ in range(20):
            small = client.get("/sum")
            client.finish(small)
            assert small.status == 200
        assert not all(stream.over for stream in large)
        client.finish(*large)
        assert {len(stream.body) for stream in large} == {len(LARGE)}


def test_the_urgent_one_comes_first(door: FrontDoor) -> None:
    """RFC 9218: both wait for the connection's window, which opens for both."""
    with Http2Client(("127.0.0.1", door.http), credit=False) as client:
        first = client.get("/large", ("priority", "u=5"))
        second = client.get("/large", ("priority", "u=1"))
        client.read_until(lambda: second.fields and len(first.body) + len(second.body) == 65535)
        for stream in (first, second):
            client.h2.increment_flow_control_window(len(LARGE), stream.number)
        client.flush()
        for _ in range(20):  # meanwhile enough has come of both
            assert client.ask("/", host="nobody.example.com", method="HEAD").status == 404
        before = len(second.body)
        client.h2.increment_flow_control_window(60_000)
        client.flush()
        client.read_until(lambda: len(first.body) + len(second.body) == 125_535)
        assert len(second.body) - before > 40_000
