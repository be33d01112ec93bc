"""How a stop ends: within `timeouts.drain`, with words about what it waits for, and with an orderly end for what is
left; and how a worker that retires does within `timeouts.retire`.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.client import Client, chunk, get, message, post
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Truncated, read_chunk

_WEBSOCKET = message("GET /socket", "Connection: Upgrade", "Upgrade: websocket")
_TUNNEL = message("GET /tunnel", "Connection: Upgrade", "Upgrade: echo")


def app(peer: Peer) -> None:
    """Answers in every way that takes for ever."""
    request = peer.request()
    if request.target in (b"/socket", b"/tunnel"):
        protocol = request.one("upgrade")
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n")
    elif request.target == b"/events":
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send(chunk(b"data: 1\n\n"))
    elif request.target == b"/download":
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun")
    peer.wait_gone()


def begin(door: FrontDoor, data: bytes, *, head: bool = True) -> Client:
    client = door.connect()
    client.send(data)
    if head:
        client.head()
    return client


def opened(door: FrontDoor, instance: Instance) -> dict[str, Client]:
    """One connection of each kind, each with something under way."""
    clients = {
        "WebSocket": begin(door, _WEBSOCKET),
        "tunnel": begin(door, _TUNNEL),
        "event stream": begin(door, get("/events")),
        "download": begin(door, get("/download")),
        "upload": begin(door, post("/upload", b"x" * 10)[:-5], head=False),
        "request": begin(door, get("/silent"), head=False),
    }
    instance.wait_requests(5)
    return clients


def status(door: FrontDoor) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(run_lb("status", str(door.file), "--json").stdout)
    return asked


def kinds(worker: dict[str, Any]) -> set[str]:
    return {share["kind"] for share in worker.get("open", ())}


def said(door: FrontDoor, pattern: str) -> Callable[[], bool]:
    return lambda: any(pattern in line for line in list(door.stderr))


def test_a_stop_ends_within_the_drain_whatever_is_open(tmp_path: Path) -> None:
    # spec: L6, R2, R5
    with (
        Instance(app) as instance,
        FrontDoor(configure(instance.address, timeouts={"drain": "3s"}), tmp_path) as door,
        ExitStack() as stack,
    ):
        clients = opened(door, instance)
        for client in clients.values():
            stack.enter_context(client)
        began = time.monotonic()
        door.signal(signal.SIGTERM)
        wait_for(lambda: kinds(status(door)["workers"][0]) >= clients.keys(), "the worker to tell of them")
        asked = status(door)
        assert asked["state"] == "draining"
        assert 0 < asked["drain_seconds_left"] <= 3
        shown = run_lb("status", str(door.file)).stdout
        assert "draining" in shown
        assert "1 WebSocket, 1 tunnel, 1 event stream, 1 download, 1 upload, 1 request (shop)" in shown
        assert clients["WebSocket"].rest() == b""
        assert clients["tunnel"].rest() == b""
        assert clients["download"].rest() == b"begun"  # less than what was announced
        events = clients["event stream"]
        assert read_chunk(events.stream) == b"data: 1\n\n"
        with pytest.raises(Truncated):
            read_chunk(events.stream)
        for kind in ("upload", "request"):
            response = clients[kind].response()
            assert (response.status, response.one("Connection")) == (503, b"close")
            assert b"stopped" in response.body
        assert door.wait_end() == 0
        assert time.monotonic() - began < 3.5
        assert {entry["cause"] for entry in door.log()} == {"proxy_stopped"}
        assert len(door.log()) == len(clients)
        assert any("timeouts.drain is over: closing 1 WebSocket, 1 tunnel" in line for line in door.stderr)
        door.check()


def test_a_head_that_is_half_sent_is_told_that_the_service_stops(tmp_path: Path) -> None:
    # spec: L6, E3
    with Instance(echo()) as instance, FrontDoor(configure(instance.address, admin="127.0.0.1:0"), tmp_path) as door:
        with begin(door, get("/half")[:-2] + b"X: ", head=False) as client:
            wait_for(lambda: metric(door, "lb_connections_open") == 1, "it to be accepted")
            door.signal(signal.SIGTERM)
            assert_error(client.response(), 503, "proxy_stopped")
            assert client.rest() == b""
        assert door.wait_end() == 0
        assert_logged(door, 503, "proxy_stopped", target="/half", app="shop")


def test_a_head_that_is_half_sent_when_the_time_to_retire_is_over(tmp_path: Path) -> None:
    # spec: L6, E3
    with Instance(echo()) as instance:
        config = configure(instance.address, workers=3, timeouts={"head": "1h"})
        with FrontDoor(config, tmp_path) as door, ExitStack() as stack:
            half = [stack.enter_context(begin(door, get("/half")[:-2], head=False)) for _ in range(24)]
            assert door.reload({**config, "workers": 1, "timeouts": {"head": "1h", "retire": "1s"}})
            wait_for(lambda: len(status(door)["workers"]) == 1, "the retired workers to end")
            told = [client for client in half if _has_ended(client, b"H")]
            assert {(entry["status"], entry["cause"]) for entry in door.log()} == {(503, "proxy_stopped")}
            assert len(door.log()) == len(told) > 0


def test_what_can_finish_finishes_and_nobody_waits_for_the_limit(tmp_path: Path) -> None:
    # spec: L6
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with door.connect() as client:
            client.ask(get())
            began = time.monotonic()
            door.signal(signal.SIGTERM)
            assert client.rest() == b""
            assert door.wait_end() == 0
        assert time.monotonic() - began < 10


def test_the_log_says_every_ten_seconds_what_is_waited_for(tmp_path: Path) -> None:
    # spec: L6
    with (
        Instance(app) as instance,
        FrontDoor(configure(instance.address, timeouts={"drain": "1h"}), tmp_path) as door,
    ):
        clients = [begin(door, _WEBSOCKET), begin(door, get("/download")), begin(door, get("/download"))]
        door.signal(signal.SIGTERM)
        wait_for(said(door, "draining: waiting for 1 WebSocket, 2 downloads (shop); 59 min"), "the line")
        for client in clients:
            client.reset()  # one that only shuts its side may still be reading
        assert door.wait_end() == 0


def test_a_changed_drain_is_that_of_the_next_stop(tmp_path: Path) -> None:
    # spec: L6
    with Instance(app) as instance:
        config = configure(instance.address, timeouts={"drain": "1h"})
        with FrontDoor(config, tmp_path) as door, begin(door, _WEBSOCKET) as client:
            assert door.reload({**config, "timeouts": {"drain": "1s"}})
            door.signal(signal.SIGTERM)
            assert client.rest() == b""
            assert door.wait_end() == 0


def test_orphans_end_within_the_drain_too(tmp_path: Path) -> None:
    # spec: L6, R3
    with Instance(app) as instance:
        door = FrontDoor(configure(instance.address, timeouts={"drain": "1s"}), tmp_path)
        workers = door.workers
        with begin(door, _WEBSOCKET) as client:
            os.kill(door.pid, signal.SIGKILL)
            assert client.rest() == b""
        wait_for(lambda: not any(map(process.is_alive, workers)), "the orphans to end")
        door.kill()


def test_a_retired_worker_keeps_what_is_open_unless_retire_says_otherwise(tmp_path: Path) -> None:
    # spec: L6
    with Instance(app) as instance:
        config = configure(instance.address, workers=3)
        with FrontDoor(config, tmp_path) as door:
            clients = [begin(door, _WEBSOCKET) for _ in range(24)]
            assert door.reload({**config, "workers": 1})

            def retired() -> list[dict[str, Any]]:
                return [worker for worker in status(door)["workers"] if worker["retiring"]]

            wait_for(lambda: any(kinds(worker) == {"WebSocket"} for worker in retired()), "what they keep to be told")
            left = sum(share["connections"] for worker in retired() for share in worker["open"])
            assert "retires, still open: " in run_lb("status", str(door.file)).stdout
            assert door.reload({**config, "workers": 1, "timeouts": {"retire": "1s"}})  # for those that retire already
            wait_for(lambda: not retired(), "the retired workers to end")
            ended = [client for client in clients if _has_ended(client)]
            assert len(ended) == left > 0
            for client in clients:
                client.close()


def _has_ended(client: Client, with_byte: bytes = b"") -> bool:
    client.sock.settimeout(0.2)
    try:
        return client.sock.recv(1) == with_byte
    except TimeoutError:
        return False


def test_a_new_service_of_the_file_starts_while_the_old_one_drains(tmp_path: Path) -> None:
    # spec: R2: the same addresses, that of the admin server included
    with Instance(app) as instance, FrontDoor(configure(instance.address, admin="127.0.0.1:0"), tmp_path) as old:
        admin = f"127.0.0.1:{old.port('admin')}"
        config = configure(instance.address, listen={"http": f"127.0.0.1:{old.http}"}, admin=admin)
        client = begin(old, _WEBSOCKET)
        old.signal(signal.SIGTERM)
        wait_for(lambda: status(old)["state"] == "draining", "the drain")
        with FrontDoor(config, tmp_path) as new:
            assert new.port("admin") == old.port("admin")
            assert status(new)["supervisor"] == new.pid
            refused = run_lb("serve", str(new.file))
            assert f"is already served by process {new.pid}" in refused.stderr
            client.send(b"still there")
            assert old.process.poll() is None
            client.close()
            assert old.wait_end() == 0
            assert status(new)["state"] == "ready"


@pytest.mark.parametrize("command", ["reload", "upgrade"])
def test_what_drains_is_not_changed_any_more(tmp_path: Path, command: str) -> None:
    # spec: R5
    with Instance(app) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with begin(door, _WEBSOCKET):
            door.signal(signal.SIGTERM)
            wait_for(lambda: status(door)["state"] == "draining", "the drain")
            ended = run_lb(command, str(door.file))
            assert ended.returncode == 1
            assert "the service is being stopped" in ended.stderr
        assert door.wait_end() == 0
