"""More connections than there is room for, and connections that do not get on with their handshake."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import echo, ok
from tests.e2e.harness.waiting import wait_for

# spec: L5; attack 32


@contextmanager
def _crowded(directory: Path, room: int, **top: Any) -> Iterator[FrontDoor]:
    with Instance(echo()) as instance:
        config = configure(instance.address, limits={"connections": room}, **top)
        with FrontDoor(config, directory) as door:
            yield door


def test_the_oldest_idle_connection_makes_room(tmp_path: Path) -> None:
    with _crowded(tmp_path, 4) as door, ExitStack() as stack:
        clients = [stack.enter_context(door.connect()) for _ in range(4)]
        for client in [*clients, clients[0]]:
            assert client.ask(get()).status == 200
        late = [stack.enter_context(door.connect()) for _ in range(2)]
        assert [client.ask(get()).status for client in late] == [200, 200]
        assert [client.is_open() for client in clients] == [True, False, False, True]


def test_a_flood_of_new_connections_closes_only_idle_ones(tmp_path: Path) -> None:
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            if peer.request().target == b"/busy":
                release.wait(30)
            peer.send(ok())

    with Instance(script) as instance, ExitStack() as stack:
        door = stack.enter_context(FrontDoor(configure(instance.address, limits={"connections": 8}), tmp_path))
        busy = [stack.enter_context(door.connect()) for _ in range(4)]
        for client in busy:
            client.send(get("/busy"))
        instance.wait_requests(4)
        for _ in range(200):
            with door.connect() as client:
                assert client.ask(get()).status == 200
        release.set()
        assert [client.response().status for client in busy] == [200] * 4


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\nX-Slow: "])
def test_who_does_not_get_to_a_request_makes_room_for_who_does(tmp_path: Path, said: bytes) -> None:
    # attack 31: slow heads do not keep others out for the time that a head has
    with _crowded(tmp_path, 4) as door, ExitStack() as stack:
        friend = stack.enter_context(door.connect())
        assert friend.ask(get()).status == 200
        slow = [stack.enter_context(door.connect()) for _ in range(3)]
        for client in slow:
            client.send(said)
        time.sleep(2.1)  # the time that a new connection has to say something: nothing tells when it is over
        assert friend.ask(get()).status == 200
        late = [stack.enter_context(door.connect()) for _ in range(3)]
        assert [client.ask(get()).status for client in late] == [200] * 3
        assert [client.is_open() for client in slow] == [False] * 3
        assert friend.ask(get()).status == 200


def test_a_handshake_that_stalls_has_a_time_of_its_own(tmp_path: Path, authority: Authority) -> None:
    # spec: T4, L4
    top = {
        "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
        "tls": tls_config(authority.issue(HOST)),
        "timeouts": {"handshake": "500ms"},
    }
    hello = _client_hello(authority)
    with _crowded(tmp_path, 100, **top) as door, ExitStack() as stack:
        stalled = [stack.enter_context(Client(("127.0.0.1", door.https))) for _ in range(3)]
        for client, size in zip(stalled, (0, 5, len(hello)), strict=True):
            client.send(hello[:size])
        plain = stack.enter_context(door.connect())
        shaken = stack.enter_context(door.connect_tls(authority.context()))
        began = time.monotonic()
        for client in stalled:
            client.rest()
        assert time.monotonic() - began < 5, "the time of a head"
        assert plain.is_open()
        assert shaken.ask(get()).status == 200


def _client_hello(authority: Authority) -> bytes:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(0.01)
        with pytest.raises(TimeoutError):
            authority.context().wrap_socket(here, server_hostname=HOST)
        return there.recv(65536)


def test_past_the_bound_tls_is_not_even_begun(tmp_path: Path, authority: Authority) -> None:
    top = {"listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}, "tls": tls_config(authority.issue(HOST))}
    with _crowded(tmp_path, 2, **top) as door, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(door.connect())  # new, so they have their time
        with pytest.raises(OSError, match=r"reset|closed|EOF|violation"):
            door.connect_tls(authority.context())
        with door.connect() as late:
            assert_error(late.response(), 503, "connection_limit_reached")
        wait_for(lambda: _accepted(door), "the silent ones to have had their time")


def _accepted(door: FrontDoor) -> bool:
    with door.connect() as client:
        client.send_quietly(get())
        return client.response().status == 200
