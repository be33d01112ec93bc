"""`limits.connections` is a bound: however many come late, whatever they open, and whether they stay or leave."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Truncated, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for

# spec: L5

BOUND = 10
LATECOMERS = 60
_UPGRADE = get("/tunnel", "Connection: Upgrade", "Upgrade: echo")
_AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ndata: 1\n\r\n"


def _script(peer: Peer) -> None:
    """Agrees to tunnels, begins streams, answers all else at once."""
    while True:
        request = peer.request()
        if request.target == b"/tunnel":
            peer.send(_AGREED)
            peer.wait_gone()
            return
        if request.target == b"/stream":
            peer.send(_STREAM)
            peer.wait_gone()
            return
        peer.send(ok(request.target))


@contextmanager
def _door(tmp_path: Path, connections: int = BOUND, **top: Any) -> Iterator[FrontDoor]:
    with Instance(_script) as instance:
        config = configure(instance.address, limits={"connections": connections}, admin="127.0.0.1:0", **top)
        with FrontDoor(config, tmp_path) as door:
            yield door


def _come(door: FrontDoor, stack: ExitStack, data: bytes, leaves: Callable[[int], bool]) -> Counter[int]:
    """One latecomer after the other with this request, by status; those that are refused leave or stay."""
    statuses: Counter[int] = Counter()
    for number in range(LATECOMERS):
        client = stack.enter_context(door.connect())
        client.send_quietly(data)
        head = client.head()
        statuses[head.status] += 1
        if head.status == 503:
            assert int(head.one("retry-after")) >= 1
            if leaves(number):
                client.close()
    return statuses


_MANNERS: dict[str, Callable[[int], bool]] = {
    "stay": lambda _: False,
    "leave": lambda _: True,
    "by turns": lambda number: number % 3 == 0,
}


@pytest.mark.parametrize("manner", _MANNERS)
@pytest.mark.parametrize("data", [_UPGRADE, get("/stream")], ids=["tunnels", "streams"])
def test_ten_means_ten_however_many_come_late(tmp_path: Path, data: bytes, manner: str) -> None:
    with _door(tmp_path) as door, ExitStack() as stack:
        assert _come(door, stack, data, _MANNERS[manner]) == {101 if data is _UPGRADE else 200: BOUND, 503: 50}
        wait_for(lambda: metric(door, "lb_connections_open") == BOUND, "the gauge to say so")
        stack.close()
        wait_for(lambda: _status(door) == 200, "room for a new connection")


def test_all_workers_together_have_no_more(tmp_path: Path) -> None:
    with _door(tmp_path, workers=4) as door, ExitStack() as stack:
        statuses = _come(door, stack, _UPGRADE, _MANNERS["stay"])
        assert 2 <= statuses[101] <= BOUND
        assert statuses[101] + statuses[503] == LATECOMERS


def _status(door: FrontDoor) -> int:
    with door.connect() as client:
        client.send_quietly(get("/again"))
        return client.response().status


def test_where_all_are_idle_nobody_is_refused(tmp_path: Path) -> None:
    # each newcomer takes the place of the one that has been idle longest, however quickly they come
    with _door(tmp_path) as door, ExitStack() as stack:
        for number in range(5 * BOUND):
            client = stack.enter_context(door.connect())
            assert client.ask(get(f"/{number}")).body == b"/%d" % number
        wait_for(lambda: metric(door, "lb_connections_open") <= BOUND, "the gauge to say so")


def test_those_that_have_just_become_idle_make_room(tmp_path: Path) -> None:
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            release.wait(30)
            peer.send(ok())

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, limits={"connections": 4}), tmp_path) as door,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(door.connect()) for _ in range(4)]
        for client in clients:
            client.send(get("/busy"))
        instance.wait_requests(4)
        with door.connect() as late:  # all are looked through, and none can go
            late.send_quietly(get("/late"))
            assert_error(late.response(), 503, "connection_limit_reached")
        release.set()
        assert [client.response().status for client in clients] == [200] * 4
        for _ in range(4):
            late = stack.enter_context(door.connect())
            assert late.ask(get("/late")).status == 200


def test_connections_at_their_end_make_room(tmp_path: Path) -> None:
    # those that have had our last word and stay nevertheless hold no place
    with _door(tmp_path, 4) as door, ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(door.connect())
            assert client.ask(get("/first")).status == 200
            client.send(b"NONSENSE\r\n\r\n")
            assert client.response().status == 400
        for _ in range(4):
            client = stack.enter_context(door.connect())
            assert client.ask(get("/late")).status == 200
            client.send(b"NONSENSE\r\n\r\n")
            assert client.response().status == 400


def test_a_bound_that_was_lowered_holds_for_newcomers(tmp_path: Path) -> None:
    # spec: R2
    with Instance(_script) as instance:

        def config(connections: int) -> dict[str, Any]:
            return configure(instance.address, limits={"connections": connections}, admin="127.0.0.1:0")

        with FrontDoor(config(20), tmp_path) as door, ExitStack() as stack:
            idle = [stack.enter_context(door.connect()) for _ in range(15)]
            assert [client.ask(get()).status for client in idle] == [200] * 15
            tunnels = [stack.enter_context(door.connect()) for _ in range(5)]
            for tunnel in tunnels:
                tunnel.send(_UPGRADE)
                assert tunnel.head().status == 101
            assert door.reload(config(5))
            assert _status(door) == 503
            wait_for(lambda: metric(door, "lb_connections_open") == 5, "only the tunnels to be left")
            tunnels.pop().close()
            wait_for(lambda: _status(door) == 200, "room for a new connection")


def test_over_tls_latecomers_are_closed(tmp_path: Path, authority: Authority) -> None:
    tls: dict[str, Any] = {"listen": {"https": "127.0.0.1:0"}, "tls": tls_config(authority.issue(HOST))}
    context = authority.context()
    with _door(tmp_path, **tls) as door, ExitStack() as stack:
        served = 0
        for _ in range(3 * BOUND):
            try:
                client = stack.enter_context(door.connect_tls(context))
                client.send(_UPGRADE)
                served += client.head().status == 101
            except (OSError, Truncated):
                continue
        assert served == BOUND
