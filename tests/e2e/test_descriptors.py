"""Without descriptors: whose fault it is, who is told, and that it is over when they are back."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lb.proxy.descriptors import connections_within
from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import echo, ok
from tests.e2e.harness.waiting import wait_for

# spec: L5, E3


def _worker(door: FrontDoor) -> int:
    (worker,) = door.workers[:1]
    return worker


@contextmanager
def _none_left(worker: int) -> Iterator[None]:
    """For a while the worker gets no descriptor beyond those that it has."""
    before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    held = {int(name) for name in os.listdir(f"/proc/{worker}/fd")}  # noqa: PTH208
    free = next(number for number in range(len(held) + 1) if number not in held)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)


def _lines(door: FrontDoor) -> list[str]:
    return [line for line in list(door.stderr) if "out of descriptors" in line]


def test_no_instance_is_blamed_for_what_we_lack(tmp_path: Path) -> None:
    with Instance(echo("a")) as one, Instance(echo("b")) as other:
        config = configure(one.address, other.address, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            wait_for(lambda: metric(door, "lb_connections_open") == 1, "it to be accepted")
            with _none_left(_worker(door)):
                for _ in range(5):
                    response = client.ask(get("/none"))
                    assert_error(response, 503, "out_of_descriptors")
                    assert int(response.one("retry-after")) >= 1
            assert_logged(door, 503, "out_of_descriptors", target="/none", instance=None)
            assert len(_lines(door)) == 1  # one a minute
            assert "LimitNOFILE" in _lines(door)[0]
            assert [client.ask(get()).status for _ in range(4)] == [200] * 4
            assert {len(one.requests), len(other.requests)} == {2}  # none was passed over
            wait_for(lambda: metric(door, 'lb_errors_total{cause="out_of_descriptors"}') == 5, "them to be counted")


def test_idle_connections_are_closed_for_a_request(tmp_path: Path) -> None:
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door, ExitStack() as stack:
        idle, busy = (stack.enter_context(door.connect()) for _ in range(2))
        assert idle.ask(get()).status == 200
        assert busy.ask(get()).status == 200
        wait_for(lambda: instance.open_connections == 1, "one idle connection to the instance")
        with _none_left(_worker(door)):
            instance.peers[0].half_close()  # so that the next request needs a new one
            wait_for(lambda: instance.open_connections == 0, "the idle one to be gone")
            instance_before = instance.connections
            assert busy.ask(get("/again")).status == 200
            assert instance.connections == instance_before + 1


def test_newcomers_that_cannot_be_accepted_are_told_of_in_the_log(tmp_path: Path) -> None:
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door, ExitStack() as stack:
        idle = [stack.enter_context(door.connect()) for _ in range(3)]
        assert [client.ask(get()).status for client in idle] == [200] * 3
        with _none_left(_worker(door)):
            with door.connect() as late:
                assert late.ask(get()).status == 200  # an idle one made room
            assert len(_lines(door)) == 1
        with door.connect() as client:
            assert client.ask(get()).status == 200


@pytest.mark.parametrize("count", [48, 64])
def test_more_clients_than_descriptors(tmp_path: Path, count: int) -> None:
    # each one that was let in is served, and the others hear why they were not
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            release.wait(30)
            peer.send(ok())

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        resource.prlimit(_worker(door), resource.RLIMIT_NOFILE, (count, count))
        assert door.reload()
        served = connections_within(count, 1)
        with ExitStack() as stack:
            clients = [stack.enter_context(door.connect()) for _ in range(40)]
            for client in clients:
                client.send_quietly(get("/slow"))
            instance.wait_requests(served)
            for client in clients[served:]:
                response = client.response()
                assert_error(response, 503, "connection_limit_reached")
                assert b"limit of open files" in response.body
            release.set()
            assert [client.response().status for client in clients[:served]] == [200] * served
        assert len(_lines(door)) == 1
        wait_for(lambda: _status(door) == 200, "room for a new connection")


def _status(door: FrontDoor) -> int:
    with door.connect() as client:
        client.send_quietly(get())
        return client.response().status
