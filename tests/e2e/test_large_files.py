"""Files of any size, plain and over TLS: whole, to whoever reads, as fast as that one reads; and how that may end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import Client, Truncated, get
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.waiting import wait_for

HOST = "shop.example.com"
BLOCK = os.urandom(1 << 16)
SIZES = {"1.bin": 1, "1k.bin": 1 << 10, "100k.bin": 100 << 10, "10m.bin": 10 << 20}
HUGE = 256 << 20  # more than any socket's buffer takes

Connect = Callable[..., Client]


def content(size: int) -> bytes:
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


def configuration(files: Path, authority: Authority, **top: Any) -> dict[str, Any]:
    return {
        "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
        "workers": 1,
        "tls": tls_config(authority.issue(HOST)),
        "apps": {"site": {"domains": [HOST], "routes": [{"path": "/", "files": str(files)}]}},
        **top,
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files")
    for name, size in SIZES.items():
        (directory / name).write_bytes(content(size))
    with (directory / "huge.bin").open("wb") as huge:
        huge.truncate(HUGE)  # zeros, which take no place on the disk
    return directory


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, files: Path, authority: Authority) -> Iterator[FrontDoor]:
    with FrontDoor(configuration(files, authority), tmp_path_factory.mktemp("door")) as door:
        yield door


@pytest.fixture(params=["http", "https"])
def connect(request: pytest.FixtureRequest, door: FrontDoor, authority: Authority) -> Connect:
    return connecting(door, authority, request.param)


def connecting(door: FrontDoor, authority: Authority, scheme: str) -> Connect:
    """Connections of this scheme, with a receive buffer of so many bytes if that is asked for."""

    def plain(receive_buffer: int = 0) -> Client:
        return door.connect(receive_buffer=receive_buffer)

    def secure(receive_buffer: int = 0) -> Client:
        context = authority.context()
        return Client(("127.0.0.1", door.https), tls=context, name=HOST, receive_buffer=receive_buffer)

    return plain if scheme == "http" else secure


@pytest.mark.parametrize("name", SIZES)
def test_a_file_of_any_size_arrives_whole(connect: Connect, name: str) -> None:
    with connect() as client:
        for _ in range(3):
            response = client.ask(get(f"/{name}", host=HOST))
            assert response.status == 200
            assert response.body == content(SIZES[name])


def test_a_part_of_a_large_file(connect: Connect) -> None:
    with connect() as client:
        response = client.ask(get("/10m.bin", "Range: bytes=70000-5000000", host=HOST))
        assert (response.status, response.body) == (206, content(10 << 20)[70_000:5_000_001])
        response = client.ask(get("/10m.bin", "Range: bytes=0-99999,5000000-5000009", host=HOST))
        assert content(10 << 20)[:100_000] in response.body


def test_many_at_once_get_theirs(connect: Connect) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect()) for _ in range(8)]
        for client in clients:
            client.send(get("/10m.bin", host=HOST) + get("/1.bin", host=HOST))
        for client in clients:
            assert client.response().body == content(10 << 20)
            assert client.response().body == content(1)


def test_slow_readers_cost_no_memory_and_hinder_nobody(door: FrontDoor, connect: Connect) -> None:
    # spec: F3, W2
    (worker,) = door.workers
    with ExitStack() as stack:
        before = process.memory(worker)
        slow = [stack.enter_context(connect(receive_buffer=4096)) for _ in range(40)]
        for client in slow:
            client.send(get("/huge.bin", host=HOST))
        for client in slow:
            assert client.head().status == 200
        for _ in range(5):
            with connect() as quick:
                assert quick.ask(get("/10m.bin", host=HOST)).body == content(10 << 20)
        assert process.memory(worker) - before < 40 * (256 << 10)


def test_a_client_that_leaves_is_logged_with_what_went(door: FrontDoor, connect: Connect) -> None:
    # spec: F3
    target = f"/huge.bin?left-{connect.__name__}"
    with connect(receive_buffer=4096) as client:
        client.send(get(target, host=HOST))
        assert client.head().status == 200
        client.stream.exactly(100_000)
    entry = door.wait_log(target=target)
    assert (entry["status"], entry["cause"]) == (200, "client_closed_request")
    assert 100_000 <= entry["bytes_sent"] < HUGE


def test_a_client_that_shuts_its_side_gets_all(connect: Connect, door: FrontDoor) -> None:
    # spec: F4
    with connect() as client:
        if connect.__name__ == "plain":
            client.send(get("/10m.bin", host=HOST))
            client.half_close()
            assert client.response().body == content(10 << 20)


def test_a_file_that_shrinks_ends_the_connection(door: FrontDoor, connect: Connect, files: Path) -> None:
    target = f"/shrinking-{connect.__name__}.bin"
    path = files / target[1:]
    with path.open("wb") as file:
        file.truncate(HUGE)
    with connect(receive_buffer=4096) as client:
        client.send(get(target, host=HOST))
        assert client.head().one("content-length") == b"%d" % HUGE
        os.truncate(path, 1 << 20)
        assert len(client.rest()) < HUGE
    entry = door.wait_log(target=target)
    assert (entry["status"], entry["cause"]) == (200, "file_not_readable")


def test_a_client_that_stops_reading_is_closed(tmp_path: Path, files: Path, authority: Authority) -> None:
    # spec: L4
    config = configuration(files, authority, timeouts={"read": "1s"})
    with FrontDoor(config, tmp_path) as door:
        for scheme in ("http", "https"):
            with connecting(door, authority, scheme)(receive_buffer=4096) as client:
                client.send(get(f"/huge.bin?{scheme}", host=HOST))
                assert client.head().status == 200
                entry = door.wait_log(target=f"/huge.bin?{scheme}")
                assert entry["cause"] == "client_stopped_reading"


def test_a_slow_client_that_still_reads_is_not_closed(tmp_path: Path, files: Path, authority: Authority) -> None:
    # spec: L4
    config = configuration(files, authority, timeouts={"read": "1s"})
    with FrontDoor(config, tmp_path) as door, Client(("127.0.0.1", door.http), receive_buffer=4096) as client:
        client.send(get("/10m.bin", host=HOST))
        assert client.head().status == 200
        for _ in range(6):  # for three times as long as nothing at all may be read
            wait_for(partial(_has_passed, time.monotonic() + 0.5), "half a second to pass")
            client.stream.exactly(1 << 18)
        client.stream.exactly((10 << 20) - 6 * (1 << 18))
        entry = door.wait_log(target="/10m.bin")
        assert (entry["cause"], entry["bytes_sent"]) == (None, 10 << 20)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_stop_waits_for_what_is_being_sent(tmp_path: Path, files: Path, authority: Authority, scheme: str) -> None:
    # spec: L6, R2
    with FrontDoor(configuration(files, authority), tmp_path) as door:
        with connecting(door, authority, scheme)(receive_buffer=4096) as client:
            client.send(get("/10m.bin", host=HOST))
            assert client.head().status == 200
            door.signal(signal.SIGTERM)
            wait_for(lambda: _refuses(door.http), "new connections to be refused")
            assert client.stream.exactly(10 << 20) == content(10 << 20)
            assert client.rest() == b""
        assert door.wait_end() == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_cut_lacks_its_end(tmp_path: Path, files: Path, authority: Authority, scheme: str) -> None:
    # spec: L6
    config = configuration(files, authority, timeouts={"drain": "1s"})
    with FrontDoor(config, tmp_path) as door:
        with connecting(door, authority, scheme)(receive_buffer=4096) as client:
            client.send(get("/huge.bin", host=HOST))
            assert client.head().status == 200
            door.signal(signal.SIGTERM)
            assert door.wait_end() == 0
            with pytest.raises(Truncated):
                client.stream.exactly(HUGE)
        assert door.log()[-1]["cause"] == "proxy_stopped"


def _has_passed(moment: float) -> bool:
    return time.monotonic() > moment


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return True
    return False
