"""Workers, signals and the drain: clauses R2, R3 and R5."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.client import Client, chunk, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer, Script
from tests.e2e.harness.scripts import echo, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Truncated, read_chunk


def test_workers_are_processes_as_many_as_asked(tmp_path: Path) -> None:
    # spec: R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=3), tmp_path) as door:
        assert len(door.workers) == 3
        assert door.ask(get()).status == 200


def test_workers_are_as_many_as_cores_unless_set(tmp_path: Path) -> None:
    # spec: R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers="auto"), tmp_path) as door:
        assert len(door.workers) == len(os.sched_getaffinity(0))


def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on(tmp_path: Path) -> None:
    # spec: R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        clients = [door.connect() for _ in range(24)]
        for client in clients:
            assert client.ask(get()).status == 200
        victim, survivor = door.workers
        begin = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len([pid for pid in door.workers if pid != victim]) == 2, "a new worker")
        assert time.monotonic() - begin < 1.5
        assert survivor in door.workers
        kept = sum(_still_serves(client) for client in clients)
        assert 0 < kept < len(clients)
        for _ in range(40):  # the listening socket outlived its worker: nobody is refused
            assert door.ask(get()).status == 200
        for client in clients:
            client.close()


def _still_serves(client: Client) -> bool:
    try:
        client.send(get())
        return client.response().status == 200
    except (ConnectionError, Truncated):
        return False


def test_a_worker_killed_under_load_costs_only_its_own_connections(tmp_path: Path) -> None:
    # spec: R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        stop = threading.Event()
        outcomes: Counter[str] = Counter()

        def load() -> None:
            while not stop.is_set():
                with door.connect() as client:
                    try:
                        while not stop.is_set():
                            outcomes[str(client.ask(get()).status)] += 1
                    except (ConnectionError, Truncated):
                        outcomes["lost"] += 1

        threads = [threading.Thread(target=load) for _ in range(6)]
        for thread in threads:
            thread.start()
        for turn in range(2):
            wait_for(partial(_at_least, outcomes, 100 * (turn + 1)), "requests")
            known = door.workers
            os.kill(known[0], signal.SIGKILL)
            wait_for(partial(_replaced, door, known[0]), "a new worker")
        wait_for(partial(_at_least, outcomes, outcomes["200"] + 200), "requests after it")
        stop.set()
        for thread in threads:
            thread.join()
        assert set(outcomes) <= {"200", "lost"}, outcomes
        assert outcomes["lost"] <= 2 * len(threads)


def _at_least(outcomes: Counter[str], count: int) -> bool:
    return outcomes["200"] >= count


def _replaced(door: FrontDoor, gone: int) -> bool:
    return len(door.workers) == 2 and gone not in door.workers


def test_killed_again_and_again_it_still_serves_and_leaves_no_zombie(tmp_path: Path) -> None:
    # spec: R3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        for _ in range(3):
            victim = door.workers[0]
            os.kill(victim, signal.SIGKILL)
            assert door.ask(get()).status == 200
            assert victim not in door.workers


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    # spec: R3
    with Instance(echo()) as instance:
        door = FrontDoor(configure(instance.address, workers=2), tmp_path)
        workers = door.workers
        os.kill(door.pid, signal.SIGKILL)
        wait_for(lambda: not [pid for pid in workers if process.is_alive(pid)], "the orphans to end")
        door.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_finishes_running_requests_and_refuses_new_ones(tmp_path: Path, number: signal.Signals) -> None:
    # spec: R2, R5
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
        release.wait(30)
        peer.send(chunk(b"last") + b"0\r\n\r\n")
        peer.wait_gone()

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect() as running, door.connect() as idle:
            running.send(get("/running"))
            running.head()
            assert read_chunk(running.stream) == b"first"
            door.signal(number)
            assert idle.rest() == b""
            wait_for(partial(_refuses, door), "new connections to be refused")
            assert door.process.poll() is None
            release.set()
            assert read_chunk(running.stream) == b"last"
            assert read_chunk(running.stream) == b""
            running.stream.line()
            assert running.rest() == b""
        assert door.wait_end() == 0
        assert door.log()[-1]["target"] == "/running"
        door.check()


def _refuses(door: FrontDoor) -> bool:
    try:
        with door.connect():
            return False
    except ConnectionError:
        return True


def test_a_request_on_its_way_when_a_drain_begins_is_answered(tmp_path: Path) -> None:
    # spec: R2: the head of an answer that was under way has said that the connection stays
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun")
        release.wait(30)
        peer.send(b" end")
        peer.request()
        peer.send(ok())

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect() as client:
            client.send(get("/begun"))
            client.head()
            door.signal(signal.SIGTERM)
            wait_for(partial(_refuses, door), "new connections to be refused")
            release.set()
            assert client.stream.exactly(9) == b"begun end"
            response = client.ask(get("/next"))
            assert (response.status, response.one("Connection")) == (200, b"close")
            assert client.rest() == b""
        assert door.wait_end() == 0


def held(release: threading.Event) -> Script:
    """Answers the one request of a connection when it may."""

    def script(peer: Peer) -> None:
        peer.request()
        release.wait(30)
        peer.send(ok(b"done"))
        peer.wait_gone()

    return script


def test_a_keep_alive_connection_closes_after_its_running_request(tmp_path: Path) -> None:
    # spec: R2
    release = threading.Event()
    with Instance(held(release)) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect() as client:
            client.send(get())
            instance.wait_requests(1)
            door.signal(signal.SIGTERM)
            wait_for(partial(_refuses, door), "new connections to be refused")
            release.set()
            response = client.response()
            assert response.body == b"done"
            assert response.one("connection").lower() == b"close"
            assert client.rest() == b""
        assert door.wait_end() == 0


def test_a_signal_to_every_process_of_the_service_is_one(tmp_path: Path) -> None:
    # spec: R2: as from `kill -- -PGID` or systemd's KillMode=control-group
    release = threading.Event()
    with Instance(held(release)) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        with door.connect() as client:
            client.send(get())
            instance.wait_requests(1)
            os.killpg(door.pid, signal.SIGTERM)
            wait_for(partial(_refuses, door), "new connections to be refused")
            release.set()
            assert client.response().body == b"done"
        assert door.wait_end() == 0


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    # spec: R2, R5
    def script(peer: Peer) -> None:
        peer.request()
        peer.wait_gone()

    with Instance(script) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        workers = door.workers
        with door.connect() as client:
            client.send(get())
            instance.wait_requests(1)
            door.signal(signal.SIGTERM)
            wait_for(partial(_refuses, door), "the drain to begin")
            assert door.process.poll() is None
            time.sleep(0.03)  # sooner it would be the same wish
            door.signal(signal.SIGTERM)
            assert client.rest() == b""
        assert door.wait_end(5) == 1
        assert not [pid for pid in workers if process.is_alive(pid)]


def test_nothing_leaks(tmp_path: Path) -> None:
    # spec: R3: descriptors after a thousand connections of every fate are as before
    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            if request.target == b"/broken":
                return
            if request.target == b"/reset":
                peer.reset()
                return
            peer.send(ok(b"x" * 10_000))

    def round_of(door: FrontDoor) -> None:
        for turn in range(60):
            for target, status in (("/ok", 200), ("/broken", 502), ("/reset", 502)):
                assert door.ask(get(target)).status == status
            for data in (b"", b"GET / HT", b"garbage\r\n\r\n", get("/ok"), get("/ok", host="nobody.example")):
                client = door.connect()
                client.send(data)
                if turn % 2:
                    client.reset()
                else:
                    client.close()

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        worker = door.workers[0]
        round_of(door)
        wait_for(lambda: instance.open_connections <= 8, "the pool to be small")
        before = process.open_files(worker)
        grown = process.growth_by_round(worker, lambda: round_of(door), rounds=3)
        wait_for(lambda: process.open_files(worker) <= before + 4, "the descriptors to be closed")
        assert min(grown) < 1 << 20, grown


def test_metrics_and_health(tmp_path: Path) -> None:
    # spec: E1, R3
    with (
        Instance(echo()) as instance,
        FrontDoor(configure(instance.address, admin="127.0.0.1:0"), tmp_path) as door,
    ):
        door.ask(get())
        door.ask(get(host="nobody.example"))
        address = ("127.0.0.1", door.port("admin"))
        with Client(address) as client:
            assert client.ask(get("/healthz", host="localhost")).status == 200
            assert client.ask(get("/readyz", host="localhost")).status == 200

        def metrics() -> str:
            with Client(address) as client:
                return client.ask(get("/metrics", host="localhost")).body.decode()

        wait_for(lambda: 'lb_errors_total{cause="destination_not_found"} 1' in metrics(), "the cause to be counted")
        assert 'lb_responses_total{class="2xx"} 1' in metrics()
