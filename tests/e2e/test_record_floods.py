"""TLS records without data that are mixed with some: other clients hardly notice, and whoever sends too many is closed.

Every record without data is work, and an answer where the client asks for one; a byte of data now and then is no reason
to go on with that for ever. Both ways to OpenSSL, since each bounds it by itself.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from benchmarks.hostile.records import Conversation
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.test_health import admin

# spec: L5; attack 34

_CONNECTIONS = 12
_PER_BYTE = 300
_SMALL = 2048  # bytes that they can receive: it takes long to answer one who does not read
_FACTOR = 20  # times as slow as the slowest request in quiet: a turn of each flood, and not all that it has sent
_LEAST = 0.01  # seconds that count as quiet: what a busy machine takes for nothing
_UPLOAD = b"POST / HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\nContent-Length: 90000000\r\n\r\n"


@pytest.fixture(scope="module", params=["direct", "memory"])
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[FrontDoor]:
    """One worker, with either way to OpenSSL."""
    listen = {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}
    with Instance(echo()) as instance:
        tls = tls_config(authority.issue(HOST))
        config = configure(instance.address, listen=listen, tls=tls, admin="127.0.0.1:0")
        env = {"LB_TLS": "memory"} if request.param == "memory" else {}
        with FrontDoor(config, tmp_path_factory.mktemp("floods"), env=env) as opened:
            yield opened


Flood = tuple[socket.socket, bytes]


def _updates(door: FrontDoor, groups: int, count: int) -> Flood:
    """An upload: groups of so many updates, which ask for one each in return, and a byte of data behind each."""
    client = Conversation(door.https, HOST, ssl.TLSVersion.TLSv1_3, receive_buffer=_SMALL)
    parts = [client.records(_UPLOAD)]
    for _ in range(groups):
        parts += [client.key_updates(count, asking=True), client.records(b"x")]
    return client.sock, b"".join(parts)


def _mixed_updates(door: FrontDoor) -> Flood:
    return _updates(door, 60, _PER_BYTE)


def _mixed_hellos(door: FrontDoor) -> Flood:
    client = Conversation(door.https, HOST, ssl.TLSVersion.TLSv1_2, receive_buffer=_SMALL)
    return client.sock, client.hellos_with_data(_UPLOAD, 60, _PER_BYTE)


def _paired_updates(door: FrontDoor) -> Flood:
    return _updates(door, 4000, 1)


def _ask(door: FrontDoor, going_on: Callable[[], bool]) -> float:
    """Seconds that the slowest of other clients' requests takes, one after the other for as long as it goes on."""
    slowest = 0.0
    while going_on():
        began = time.monotonic()
        assert door.ask(get()).status == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def _quiet(door: FrontDoor) -> float:
    left = iter(range(300))
    return max(_ask(door, lambda: next(left, None) is not None), _LEAST)


def _send(flood: Flood) -> None:
    sock, data = flood
    with contextlib.suppress(ConnectionError):
        sock.sendall(data)
        # What the front door has not read yet is still work for it; when it has, it ends the connection.
        with contextlib.suppress(OSError):  # it has been reset by now
            sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def _slowness(door: FrontDoor, floods: Sequence[Flood]) -> float:
    """How many times as long as in quiet the slowest request takes beside them."""
    quiet = _quiet(door)
    threads = [threading.Thread(target=_send, args=(flood,)) for flood in floods]
    for thread in threads:
        thread.start()
    slowest = _ask(door, lambda: any(thread.is_alive() for thread in threads))
    for thread in threads:
        thread.join()
    for sock, _ in floods:
        sock.close()
    return slowest / quiet


def _count(door: FrontDoor) -> int:
    found = re.search(r"^lb_tls_record_floods_total ([0-9]+)", admin(door, "/metrics").decode(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("make", [_mixed_updates, _mixed_hellos])
def test_a_byte_of_data_now_and_then_is_no_excuse(door: FrontDoor, make: Callable[[FrontDoor], Flood]) -> None:
    # What the flood does, it does each time; what a busy machine does, it does not.
    measured = []
    before = _count(door)
    for _ in range(3):
        measured.append(_slowness(door, [make(door) for _ in range(_CONNECTIONS)]))
        if measured[-1] < _FACTOR:
            break
    assert min(measured) < _FACTOR, measured
    ended = _CONNECTIONS * len(measured)
    wait_for(lambda: _count(door) == before + ended, "all of them counted")
    wait_for(lambda: any("127.0.0.1 was closed: too many records" in line for line in door.stderr), "a line")


def test_who_brings_as_much_data_is_borne_and_waits_for_its_turns(door: FrontDoor) -> None:
    measured = []
    before = _count(door)
    for _ in range(3):
        measured.append(_slowness(door, [_paired_updates(door) for _ in range(_CONNECTIONS)]))
        if measured[-1] < _FACTOR:
            break
    assert min(measured) < _FACTOR, measured
    assert _count(door) == before
