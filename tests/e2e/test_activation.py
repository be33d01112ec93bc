"""Sockets that a service manager bound: served by every worker, and nothing lost while nobody serves them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.harness.client import Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def on(sock: socket.socket, instance: Instance, workers: int = 1) -> dict[str, object]:
    listen = {"http": f"127.0.0.1:{sock.getsockname()[1]}"}
    return configure(instance.address, listen=listen, workers=workers)


def test_all_workers_serve_one_socket(tmp_path: Path, bound: socket.socket) -> None:
    # spec: R3
    with Instance(echo()) as instance, FrontDoor(on(bound, instance, 3), tmp_path, activated=[bound]) as door:
        assert f"listening on http://127.0.0.1:{bound.getsockname()[1]}" in door.stderr
        clients = [door.connect() for _ in range(60)]
        for client in clients:
            client.send(get())
        for client in clients:
            assert client.response().status == 200
            client.close()
        sockets = {os.fstat(bound.fileno()).st_ino}
        assert [listening_inodes(pid) for pid in door.workers] == [sockets] * 3


def listening_inodes(pid: int) -> set[int]:
    """The TCP sockets of a process that listen."""
    rows = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    listening = {int(row.split()[9]) for row in rows if row.split()[3] == "0A"}
    held = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            held.add(descriptor.stat().st_ino)
    return listening & held


def test_who_comes_between_two_lives_is_served_by_the_next(tmp_path: Path, bound: socket.socket) -> None:
    # spec: R2
    with Instance(echo()) as instance:
        config = on(bound, instance, 2)
        with FrontDoor(config, tmp_path, activated=[bound]) as door:
            assert door.ask(get()).status == 200
        with Client(("127.0.0.1", bound.getsockname()[1])) as early:
            early.send(get("/early"))
            with FrontDoor(config, tmp_path, activated=[bound]):
                assert early.response().status == 200


def test_a_socket_that_nothing_asks_for_is_told(tmp_path: Path, bound: socket.socket) -> None:
    with Instance(echo()) as instance:
        with FrontDoor(configure(instance.address), tmp_path, activated=[bound]) as door:
            assert door.ask(get()).status == 200
        told = [line for line in door.stderr if "systemd passed a listening socket on 127.0.0.1:" in line]
        assert len(told) == 1
