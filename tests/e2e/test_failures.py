"""What clients see while something behind or inside the front door fails under load, and what is left of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.client import Client, get, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_logged
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.killable import Killable
from tests.e2e.harness.load import Outcomes, ask_once, join_all, load, outcome_of, wait_more
from tests.e2e.harness.scripts import echo, hang, ok
from tests.e2e.harness.waiting import PATIENCE, wait_for
from tests.e2e.harness.wire import Truncated

ONE_MIB = 1 << 20


def _logged(door: FrontDoor) -> Counter[tuple[int, str | None]]:
    return Counter((entry["status"], entry["cause"]) for entry in door.log())


# Instances


def test_an_instance_killed_and_restarted_under_load_costs_no_request(tmp_path: Path) -> None:
    # spec: F1, F2
    with Killable() as killed, Instance(echo()) as other:
        config = configure(killed.address, other.address)
        with FrontDoor(config, tmp_path) as door, load(door, get()) as outcomes:
            for _ in range(2):
                wait_more(outcomes)
                killed.kill()
                wait_more(outcomes)
                killed.start()
        assert set(outcomes) == {"200"}, outcomes


def test_when_the_only_instance_is_killed_clients_are_told_until_it_is_back(tmp_path: Path) -> None:
    # spec: F1, E1
    with Killable() as killed:
        with FrontDoor(configure(killed.address), tmp_path) as door, load(door, get()) as outcomes:
            wait_more(outcomes)
            killed.kill()
            wait_more(outcomes, "502 connection_refused")
            killed.start()
            wait_more(outcomes)
        assert set(outcomes) <= {"200", "502 connection_refused", "502 connection_terminated"}, outcomes


def test_an_instance_that_is_stopped_under_load_is_late_and_then_passed_over(tmp_path: Path) -> None:
    # spec: L3, F1
    with Killable() as stopped, Instance(echo()) as other:
        config = configure(stopped.address, other.address, timeouts={"response": "300ms"})
        with FrontDoor(config, tmp_path) as door, load(door, post("/", b""), clients=4) as outcomes:
            wait_for(lambda: outcomes["501"] and outcomes["200"], "both instances to answer")  # 501: no POST there
            stopped.signal(signal.SIGSTOP)
            wait_more(outcomes, count=400)
            late = outcomes["504 http_response_timeout"]
            stopped.signal(signal.SIGCONT)
            wait_more(outcomes, "501")
        assert set(outcomes) == {"200", "501", "504 http_response_timeout"}, outcomes
        assert 0 < late <= 40, outcomes


def _garbage(peer: Peer) -> None:
    peer.request()
    peer.send(b"\x15\x09\x01 not HTTP at all\r\n\r\n")


def _half(peer: Peer) -> None:
    peer.request()
    peer.send(ok(b"x" * 1000)[:-500])


FAILING = [
    pytest.param(_garbage, 502, "http_protocol_error", id="garbage"),
    pytest.param(_half, 200, "http_response_incomplete", id="half"),
    pytest.param(hang, 504, "http_response_timeout", id="hangs"),
]


@pytest.mark.parametrize(("failing", "status", "cause"), FAILING)
def test_an_instance_that_fails_is_passed_over(
    tmp_path: Path, failing: Callable[[Peer], None], status: int, cause: str
) -> None:
    # spec: F1
    with Instance(failing) as bad, Instance(echo("works")) as works:
        config = configure(bad.address, works.address, timeouts={"response": "300ms"})
        with FrontDoor(config, tmp_path) as door:
            seen = []
            while not bad.requests:
                seen.append(ask_once(door, get()))
            begin = time.monotonic()
            rest = [ask_once(door, get()) for _ in range(20)]
            assert time.monotonic() - begin < 0.9, "too slow to tell anything"
            assert rest == ["200"] * 20, (seen, rest)
            assert_logged(door, status, cause)


def test_every_way_to_fail_has_its_reply_under_load(tmp_path: Path) -> None:
    # spec: E1, E2, F5: all at once over one instance; what clients see is what the log says, to the number
    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            if request.target == b"/garbage":
                peer.send(b"garbage\r\n\r\n")
                return
            if request.target == b"/half":
                peer.send(ok(b"x" * 1000)[:-500])
                return
            if request.target == b"/closes":
                return
            peer.send(ok())

    expected = {
        "/ok": ("200", (200, None)),
        "/garbage": ("502 http_protocol_error", (502, "http_protocol_error")),
        "/half": ("lost", (200, "http_response_incomplete")),
        "/closes": ("502 connection_terminated", (502, "connection_terminated")),
    }
    turns = 25
    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        seen: Counter[tuple[str, str]] = Counter()

        def run(target: str) -> None:
            for _ in range(turns):
                seen[target, ask_once(door, post(target, b"x"))] += 1

        threads = [threading.Thread(target=run, args=(target,)) for target in expected for _ in range(3)]
        for thread in threads:
            thread.start()
        join_all(threads)
        total = turns * len(threads)
        door.wait_log_where(lambda entries: len(entries) >= total, f"{total} lines")
        assert seen == {(target, outcome): 3 * turns for target, (outcome, _) in expected.items()}
        assert _logged(door) == {line: 3 * turns for _, line in expected.values()}


# Clients


def _endless(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    while True:
        peer.send(b"x" * ONE_MIB)


def test_clients_that_stop_reading_are_closed_and_leave_nothing(tmp_path: Path) -> None:
    # spec: F3, L4
    count = 40
    with Instance(_endless) as instance:
        with (
            ExitStack() as stack,
            FrontDoor(configure(instance.address, timeouts={"read": "1s"}), tmp_path) as door,
        ):
            worker = door.workers[0]
            descriptors, memory = process.open_files(worker), process.memory(worker)
            clients = [stack.enter_context(door.connect()) for _ in range(count)]
            for client in clients:
                client.send(get("/endless"))
            instance.wait_requests(count)
            assert len(door.wait_log_where(lambda entries: len(entries) >= count, "all to be ended")) == count
            wait_for(lambda: process.open_files(worker) <= descriptors, "the descriptors to be closed")
            assert process.peak_memory(worker) - memory < count * ONE_MIB
        wait_for(lambda: instance.open_connections == 0, "the instance to be let go")


def test_a_client_that_reads_slowly_is_never_cut(tmp_path: Path) -> None:
    # spec: L4: a stream that still moves, however little the kernel tells of it
    pace = threading.Event()
    with (
        Instance(_endless) as instance,
        FrontDoor(configure(instance.address, timeouts={"read": "1s"}), tmp_path) as door,
        door.connect(receive_buffer=65536) as client,
    ):
        client.send(get("/endless"))
        client.head()
        for _ in range(25):
            assert client.sock.recv(20_000)
            pace.wait(0.1)
        assert door.log() == []
        client.reset()
        assert_logged(door, 200, "client_closed_request")


# Connections to instances that are closed while they are idle


def test_posts_around_the_idle_close_meet_no_error_and_are_acted_on_once(tmp_path: Path) -> None:
    # spec: F2: like gunicorn, which closes an idle connection after 2 s, with a pool of many that are as old
    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send(ok())
            peer.sock.settimeout(2.0)

    outcomes: Outcomes = Counter()
    pace = threading.Event()
    groups = [2.0 + step * 0.02 for step in range(-5, 6)] + [0.98, 1.02]

    def run(door: FrontDoor, group: float, number: int) -> None:
        with door.connect() as client:
            for turn in range(2):
                outcomes[outcome_of(client, post(f"/{group}/{number}/{turn}", b"x"))] += 1
                pace.wait(group)

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        threads = [threading.Thread(target=run, args=(door, group, number)) for group in groups for number in range(12)]
        for thread in threads:
            thread.start()
        join_all(threads)
        assert outcomes == {"200": 2 * len(threads)}
        executed = Counter(request.target for request in instance.requests)
        assert len(executed) == 2 * len(threads)
        assert set(executed.values()) == {1}


# Workers


def test_a_worker_killed_under_load_leaves_the_streams_of_the_other_whole(tmp_path: Path) -> None:
    # spec: R3
    release = threading.Event()
    body = bytes(range(256)) * 4096

    def script(peer: Peer) -> None:
        if peer.request().target == b"/stream":
            peer.send(ok(body)[:-1000])
            release.wait(2 * PATIENCE)
            peer.send(body[-1000:])
        else:
            peer.send(ok(b"", "Connection: close"))

    with Instance(script) as instance, FrontDoor(configure(instance.address, workers=2), tmp_path) as door:
        streams = [door.connect() for _ in range(24)]
        for stream in streams:
            stream.send(get("/stream"))
        instance.wait_requests(len(streams))
        with load(door, get(), clients=4) as outcomes:
            wait_more(outcomes)
            known = door.workers
            begin = time.monotonic()
            os.kill(known[0], signal.SIGKILL)
            wait_for(partial(_serves_anew, door), "a new worker to serve")
            assert time.monotonic() - begin < 1
            wait_more(outcomes)
        assert set(outcomes) <= {"200", "lost"}, outcomes
        assert outcomes["lost"] <= 4
        release.set()
        whole = sum(_is_whole(stream, body) for stream in streams)
        assert 0 < whole < len(streams)
        assert known[1] in door.workers


def _serves_anew(door: FrontDoor) -> bool:
    return sum("serves" in line for line in door.stderr) == 1


def _is_whole(stream: Client, body: bytes) -> bool:
    with stream:
        try:
            return stream.response().body == body
        except (ConnectionError, Truncated):
            return False


@pytest.mark.parametrize("workers", [1, 2])
def test_a_drain_under_load_fails_no_request(tmp_path: Path, workers: int) -> None:
    # spec: R2, R5: every connection that was accepted gets its answers, the last one with Connection: close
    outcomes: Outcomes = Counter()

    def run(door: FrontDoor) -> None:
        while True:
            try:
                client = door.connect()
            except ConnectionRefusedError:
                return
            with client:
                last = False
                while not last:
                    client.send(get())
                    try:
                        response = client.response()
                    except Truncated:
                        outcomes["lost"] += 1
                        break
                    outcomes[str(response.status)] += 1
                    last = response.has("connection")

    with Instance(echo()) as instance, FrontDoor(configure(instance.address, workers=workers), tmp_path) as door:
        threads = [threading.Thread(target=run, args=(door,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        wait_more(outcomes)
        door.signal(signal.SIGTERM)
        join_all(threads)
        assert door.wait_end() == 0
        assert set(outcomes) == {"200"}, outcomes
        assert len(door.log()) == outcomes["200"]
