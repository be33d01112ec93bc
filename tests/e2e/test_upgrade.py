"""A new version of the program on the same sockets, and nothing lost on the way: clause R2."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lb.control.api.control_socket import meet
from tests.e2e.harness import process
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, chunk, get, post
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance, Peer, PeerGone
from tests.e2e.harness.load import join_all
from tests.e2e.harness.scripts import Echo, echo, ok
from tests.e2e.harness.waiting import PATIENCE, wait_for
from tests.e2e.harness.wire import read_chunk
from tests.e2e.test_health import App, ask, checked, wait_state


class Upgraded:
    """The service behind a door across upgrades: its processes come and go, and none may stay."""

    def __init__(self, door: FrontDoor) -> None:
        self.door = door
        self.file = door.directory / "lb.yaml"
        self.pids = [door.pid]

    def status(self) -> dict[str, object]:
        status: dict[str, object] = json.loads(run_lb("status", str(self.file), "--json").stdout)
        return status

    def upgrade(self) -> int:
        """By the command; the successor's process id."""
        ended = run_lb("upgrade", str(self.file))
        assert ended.returncode == 0, ended.stderr
        found = re.fullmatch(r"process (\d+) serves now; process (\d+) finishes its requests\n", ended.stdout)
        assert found is not None, ended.stdout
        assert int(found[2]) == self.pids[-1]
        self.pids.append(int(found[1]))
        return self.pids[-1]

    def first_ended(self) -> int:
        """The exit code of the process that the door started. (Its pipes are its successors' too.)"""
        return self.door.process.wait(PATIENCE)

    def end(self) -> None:
        """Stops the last one, and waits for all."""
        os.kill(self.pids[-1], signal.SIGTERM)
        wait_for(lambda: not [pid for pid in self.pids if process.is_alive(pid)], "all supervisors to be gone")
        assert self.door.wait_end() == 0


@contextmanager
def serving(tmp_path: Path, *instances: str, **top: Any) -> Iterator[Upgraded]:
    """The processes of one door, killed at the end whichever of them are left."""
    door = FrontDoor(configure(*instances, **top), tmp_path)
    upgraded = Upgraded(door)
    try:
        yield upgraded
    except BaseException as problem:
        problem.add_note("stderr: " + "\n".join(door.stderr))
        raise
    finally:
        door.kill()  # its whole session


def test_the_successor_serves_the_same_port_and_the_old_one_ends(tmp_path: Path) -> None:
    # spec: R2
    with Instance(echo()) as instance, serving(tmp_path, instance.address, workers=2, admin="127.0.0.1:0") as service:
        door = service.door
        first = set(door.workers)
        successor = service.upgrade()
        assert service.first_ended() == 0
        assert not [pid for pid in first if process.is_alive(pid)]
        assert service.status()["supervisor"] == successor
        assert door.ask(get()).status == 200
        with Client(("127.0.0.1", door.port("admin"))) as client:
            told = json.loads(client.ask(get("/status", host="localhost")).body)
        assert told["supervisor"] == successor
        service.upgrade()
        wait_for(lambda: not process.is_alive(successor), "the second one to end")
        assert door.ask(get()).status == 200
        service.end()


def test_sigusr2_is_the_same(tmp_path: Path) -> None:
    # spec: R2
    with Instance(echo()) as instance, serving(tmp_path, instance.address) as service:
        service.door.signal(signal.SIGUSR2)
        assert service.first_ended() == 0
        assert service.door.ask(get()).status == 200
        successor = service.status()["supervisor"]
        assert isinstance(successor, int)
        told = f"process {successor} serves now; this one finishes its requests and ends"
        assert any(told in line for line in service.door.stderr)
        service.pids.append(successor)
        service.end()


def talk(peer: Peer) -> None:
    """Switch protocols, and say everything in capitals until the tunnel ends."""
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    while data := peer.sock.recv(100):
        peer.send(data.upper())
    raise PeerGone


def test_what_has_begun_ends_well(tmp_path: Path) -> None:
    # spec: R2, F4: an open tunnel, a download, an upload, an idle connection
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            if request.target == b"/tunnel":
                talk(peer)
            if request.target == b"/download":
                peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"first"))
                release.wait(30)
                peer.send(chunk(b"last") + b"0\r\n\r\n")
            else:
                peer.send(ok(request.body))

    with Instance(script) as instance, serving(tmp_path, instance.address) as service:
        door = service.door
        with door.connect() as tunnel, door.connect() as download, door.connect() as upload, door.connect() as idle:
            tunnel.send(get("/tunnel", "Connection: Upgrade", "Upgrade: websocket"))
            assert tunnel.head().status == 101
            download.send(get("/download"))
            download.head()
            assert read_chunk(download.stream) == b"first"
            begun = post("/upload", b"0123456789")
            upload.send(begun[:-5])
            assert idle.ask(get("/idle")).status == 200
            service.upgrade()
            tunnel.send(b"still here")
            assert tunnel.stream.exactly(10) == b"STILL HERE"
            upload.send(begun[-5:])
            assert upload.response().body == b"0123456789"
            time.sleep(1.5)  # longer than somebody idle has in a drain
            last = idle.ask(get("/idle"))
            assert (last.status, last.one("connection").lower()) == (200, b"close")
            assert idle.rest() == b""
            assert process.is_alive(door.pid)
            release.set()
            assert read_chunk(download.stream) == b"last"
            assert read_chunk(download.stream) == b""
            assert download.stream.line() == b""
            # Its head had not said that the connection would end: one more request is answered.
            last = download.ask(post("/more", b"body"))
            assert (last.body, last.one("connection").lower()) == (b"body", b"close")
            assert download.rest() == b""
            tunnel.send(b"and here")
            assert tunnel.stream.exactly(8) == b"AND HERE"
        assert service.first_ended() == 0
        service.end()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_sessions_resume_in_the_successor(tmp_path: Path, authority: Authority, version: ssl.TLSVersion) -> None:
    # spec: T4
    listen, tls = {"https": "127.0.0.1:0"}, tls_config(authority.issue(HOST))
    context = authority.context(version=version)
    with Instance(echo()) as instance, serving(tmp_path, instance.address, listen=listen, tls=tls) as service:
        with service.door.connect_tls(context) as client:
            assert client.ask(get()).status == 200
            assert isinstance(client.sock, ssl.SSLSocket)
            session = client.sock.session
        service.upgrade()
        assert service.first_ended() == 0
        with service.door.connect_tls(context, session=session) as client:
            assert client.ask(get()).status == 200
            assert isinstance(client.sock, ssl.SSLSocket)
            assert client.sock.session_reused
        service.end()


def test_nothing_is_lost_under_load(tmp_path: Path) -> None:
    # spec: R2
    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            if request.target == b"/tunnel":
                talk(peer)
            peer.send(ok(request.target + request.body))

    with Instance(script) as instance, serving(tmp_path, instance.address, workers=2) as service:
        load = Load(service.door)
        for turn in range(3):
            wait_for(partial(load.is_moving, turn), "requests of every kind")
            service.upgrade()
        wait_for(lambda: load.is_moving(4), "requests after it")
        load.stop()
        assert load.lost == []
        service.end()


class Load:
    """Clients that ask without a pause: each on a new connection, on kept ones, through tunnels."""

    def __init__(self, door: FrontDoor) -> None:
        self.door = door
        self.counts: Counter[str] = Counter()
        self.lost: list[str] = []
        self._stopped = threading.Event()
        kinds = [self.come_anew] * 3 + [self.stay] * 4 + [self.talk] * 3
        self._threads = [threading.Thread(target=self._run, args=(kind,)) for kind in kinds]
        for thread in self._threads:
            thread.start()

    def is_moving(self, turn: int) -> bool:
        """Every kind has done as much again as before."""
        assert self.lost == []
        return all(self.counts[kind] >= 60 * (turn + 1) for kind in ("new", "kept", "tunnel"))

    def stop(self) -> None:
        self._stopped.set()
        join_all(self._threads)

    def _run(self, kind: object) -> None:
        try:
            kind()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001  whatever it is, something was lost
            self.lost.append(f"{kind.__name__}: {error!r}")  # type: ignore[attr-defined]

    def come_anew(self) -> None:
        while not self._stopped.is_set():
            with self.door.connect() as client:
                self._ask(client)
            self.counts["new"] += 1

    def stay(self) -> None:
        while not self._stopped.is_set():
            with self.door.connect() as client:
                while not self._stopped.is_set() and self._ask(client):
                    self.counts["kept"] += 1
                    time.sleep(0.002)

    def talk(self) -> None:
        with self.door.connect() as client:
            client.send(get("/tunnel", "Connection: Upgrade", "Upgrade: websocket"))
            assert client.head().status == 101
            while not self._stopped.is_set():
                client.send(b"hello")
                assert client.stream.exactly(5) == b"HELLO"
                self.counts["tunnel"] += 1
                time.sleep(0.002)

    def _ask(self, client: Client) -> bool:
        """One request that must not be repeated; whether the connection may be used again."""
        self.counts["asked"] += 1
        target = f"/{self.counts['asked']}"
        response = client.ask(post(target, b"body"))
        assert (response.status, response.body) == (200, target.encode() + b"body")
        return not any(value.lower() == b"close" for name, value in response.fields if name.lower() == b"connection")


@pytest.mark.parametrize("how", ["bad configuration", "no access log", "crash", "workers crash"])
def test_a_successor_that_cannot_serve_changes_nothing(tmp_path: Path, how: str) -> None:
    # spec: R2, R5
    with Instance(echo()) as instance, serving(tmp_path, instance.address, workers=2) as service:
        door = service.door
        workers = set(door.workers)
        text = service.file.read_text()
        if how == "bad configuration":
            service.file.write_text(text.replace('"workers"', '"wrokers"'))
            code, reason = 78, r"exited with status 78\n.*lb.yaml:\d+:\d+.*wrokers.*workers"
        elif how == "no access log":
            config = json.loads(text)
            config["access_log"] = {"path": str(tmp_path / "missing" / "log"), "format": "json"}
            service.file.write_text(json.dumps(config))
            code, reason = 1, r"exited with status 1\n.*cannot write the access log"
        elif how == "crash":
            # `python -m` looks in the working directory first: what the successor imports is not what is running here.
            (tmp_path / "click.py").write_text("raise ImportError('a broken release')")
            code, reason = 1, r"exited with status 1\n.*a broken release"
        else:
            (tmp_path / "uvloop.py").write_text("__version__ = '0'\ndef new_event_loop(): raise OSError('broken')")
            code, reason = 1, r"exited with status 1; the service's log says why"
        with door.connect() as client:
            assert client.ask(get()).status == 200
            ended = run_lb("upgrade", str(service.file))
            assert ended.returncode == code, ended.stderr
            assert re.search(r"the service continues as before: it " + reason, ended.stderr, re.DOTALL), ended.stderr
            assert Echo(client.ask(get())).target == "/"
        assert any("the upgrade failed, and this version continues" in line for line in door.stderr)
        assert set(door.workers) == workers
        for _ in range(10):
            assert door.ask(get()).status == 200
        service.file.write_text(text)
        for broken in tmp_path.glob("*.py"):
            broken.unlink()
        service.upgrade()
        service.end()


def test_a_drain_ends_an_upgrade_that_is_under_way(tmp_path: Path) -> None:
    # spec: R2
    with Instance(echo()) as instance, serving(tmp_path, instance.address) as service:
        door = service.door
        door.signal(signal.SIGUSR2)
        wait_for(lambda: any("starting a successor" in line for line in door.stderr), "the upgrade to begin")
        door.signal(signal.SIGTERM)
        assert service.first_ended() == 0
        assert any("the service was stopped meanwhile" in line or "serves now" in line for line in door.stderr)


def test_no_reload_while_an_upgrade_is_under_way(tmp_path: Path) -> None:
    # spec: R2
    with Instance(echo()) as instance, serving(tmp_path, instance.address) as service:
        upgrading, reloading = (meet(service.file, os.environ) for _ in range(2))
        assert upgrading is not None
        assert reloading is not None
        with upgrading, reloading:
            upgrading.sendall(b'{"command": "upgrade"}\n')
            reloading.sendall(b'{"command": "reload"}\n')
            with reloading.makefile() as lines:
                refused = json.loads(lines.readline())
            assert "an upgrade is under way" in refused["problems"][0]
            upgrading.settimeout(PATIENCE)
            with upgrading.makefile() as lines:
                service.pids.append(json.loads(lines.readline())["successor"])
        service.end()


def test_what_is_known_of_instances_is_handed_over(tmp_path: Path) -> None:
    # spec: A1, R2
    one, two = App(b"one"), App(b"two")
    with Instance(one) as first, Instance(two) as second:
        config = checked(first.address, second.address, health_timeout="30s")
        with serving(tmp_path, workers=3, apps=config["apps"], admin="127.0.0.1:0") as service:
            door = service.door
            two.status = 500
            wait_state(door, second.address, "unhealthy")
            two.status = None  # from now on it does not answer: only what was handed over tells that it is ill
            for workers in (1, 4):  # fewer than sockets were handed over, and more
                door.write({**json.loads(service.file.read_text()), "workers": workers})
                service.upgrade()
                assert len(children(service, "lb: worker")) == workers
                for _ in range(10):
                    assert ask(door, 2) == [b"one", b"one"]
            service.end()


def test_counters_go_on(tmp_path: Path) -> None:
    # spec: R2: what predecessors count while they end is in the sums, too
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            if request.target == b"/slow":
                release.wait(120)
            peer.send(ok(request.target))

    with Instance(script) as instance, serving(tmp_path, instance.address, workers=2, admin="127.0.0.1:0") as service:
        door = service.door
        with door.connect() as client, door.connect() as idle:
            for asked in range(5):
                assert idle.ask(get()).status == 200
                wait_counted(door, requests=asked + 1, connections=2)
            client.send(get("/slow"))
            service.upgrade()
            wait_counted(door, requests=5, connections=2, open_now=2)
            assert idle.ask(get("/last")).status == 200  # by the old one, which counts it
            wait_counted(door, requests=6, connections=2, open_now=1)
            service.upgrade()  # while the first one still serves
            assert door.ask(get()).status == 200
            wait_counted(door, requests=7, connections=3, open_now=1)
            release.set()
            assert client.response().body == b"/slow"
        assert service.first_ended() == 0
        wait_counted(door, requests=8, connections=3, open_now=0)
        wait_for(lambda: not process.is_alive(service.pids[1]), "the second one to end")
        service.upgrade()  # whose predecessor has none any more
        wait_counted(door, requests=8, connections=3, open_now=0)
        service.end()


def wait_counted(door: FrontDoor, *, requests: int, connections: int, open_now: int | None = None) -> None:
    """The metrics say so, and never more."""

    def counted() -> bool:
        with Client(("127.0.0.1", door.port("admin"))) as client:
            lines = client.ask(get("/metrics", host="localhost")).body.decode().splitlines()
        figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        found = [int(figures[f"lb_{name}"]) for name in ("requests_total", "connections_total", "connections_open")]
        assert found[0] <= requests
        assert found[1] <= connections
        return found[:2] == [requests, connections] and open_now in (None, found[2])

    wait_for(counted, f"{requests} requests on {connections} connections, {open_now} of them open")


def children(service: Upgraded, title: str) -> list[int]:
    return [pid for pid in process.children(service.pids[-1]) if process.title(pid).startswith(title)]
