"""A short soak: requests of every fate over one worker, and then nothing of them may be left but their log lines."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.harness import process
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, chunk, chunked, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer, reserve
from tests.e2e.harness.load import join_all
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for

_UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")
_TEXT = b"some text that can be made shorter " * 200
_CLIENTS = 6


@dataclass
class _Soak:
    """The front door, and how many requests it was sent that it has to account for."""

    door: FrontDoor
    context: ssl.SSLContext
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    sessions: list[ssl.SSLSession] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, turn: int) -> Client:
        """Plain or TLS by turns, and TLS resumed or not."""
        if turn % 2:
            return self.door.connect()
        session = self.sessions[-1] if turn % 4 and self.sessions else None
        return self.door.connect_tls(self.context, session=session)

    def expect(self, turn: int, request: bytes, status: int) -> None:
        """One request that is answered with this status."""
        self.count()
        with self.connect(turn) as client:
            seen = client.ask(request).status
            if seen != status:
                self.failures.append(f"{seen} instead of {status} for {request[:60]!r}")
            if isinstance(client.sock, ssl.SSLSocket) and client.sock.session is not None:
                self.sessions[:] = [client.sock.session]

    def abandon(self, turn: int, request: bytes, *, counted: bool = True) -> None:
        """Send this, and leave: after the first bytes of the answer where one is on its way, by FIN or RST."""
        if counted:
            self.count()
        with self.connect(turn) as client:
            client.send(request)
            if b"/endless" in request:
                client.head()
            if turn % 3:
                client.reset()

    def count(self) -> None:
        with self.lock:
            self.requests += 1


def _script(peer: Peer) -> None:
    peer.stream.keep = False
    while True:
        request = peer.request()
        if request.target == b"/dies":
            return
        if request.target == b"/endless":
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                peer.send(chunk(b"x" * 65536))
        elif request.target == b"/ws":
            peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            peer.send(peer.stream.exactly(5))
            peer.wait_gone()
        elif request.target == b"/chunked":
            peer.send(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunked(_TEXT, _TEXT)
            )
        else:
            answer = ok(_TEXT, "Content-Type: text/plain")
            peer.send(answer[: -len(_TEXT)] if request.method == b"HEAD" else answer)


def _tunnel(soak: _Soak, turn: int) -> None:
    soak.count()
    with soak.connect(turn) as client:
        client.send(get("/ws", *_UPGRADE))
        if client.head().status != 101:
            soak.failures.append("no tunnel")
        client.send(b"hello")
        if client.stream.exactly(5) != b"hello":
            soak.failures.append("a tunnel broke bytes")


_FATES: tuple[Callable[[_Soak, int], None], ...] = (
    lambda soak, turn: soak.expect(turn, get("/ok"), 200),
    lambda soak, turn: soak.expect(turn, get("/ok", "Accept-Encoding: gzip, br, zstd"), 200),
    lambda soak, turn: soak.expect(turn, get("/chunked", "Accept-Encoding: gzip"), 200),
    lambda soak, turn: soak.expect(turn, get("/chunked"), 200),
    lambda soak, turn: soak.expect(turn, message("HEAD /ok"), 200),
    lambda soak, turn: soak.expect(turn, post("/ok", b"x" * 200_000), 200),
    lambda soak, turn: soak.expect(
        turn, message("POST /ok", "Transfer-Encoding: chunked", body=chunked(b"x" * 50_000, b"y")), 200
    ),
    lambda soak, turn: soak.expect(turn, post("/dies", b"x"), 502),
    lambda soak, turn: soak.expect(turn, message("POST /ok", "Content-Length: 999999999999"), 413),
    lambda soak, turn: soak.expect(turn, get("/ok", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
    lambda soak, turn: soak.expect(2 * turn + 1, get("/ok", host="nobody.example"), 404),
    lambda soak, turn: soak.expect(2 * turn + 1, get("/ok", host="down.example.com"), 502),
    lambda soak, turn: soak.expect(2 * turn, get("/ok", host="down.example.com"), 421),
    _tunnel,
    lambda soak, turn: soak.abandon(turn, get("/endless")),
    lambda soak, turn: soak.abandon(turn, get("/endless", "Accept-Encoding: gzip")),
    lambda soak, turn: soak.abandon(turn, b"GET /ok HT", counted=False),
    lambda soak, turn: soak.abandon(turn, b"", counted=False),
)


def _rounds(soak: _Soak, rounds: int) -> None:
    """Every fate so many times, from several clients at once, each in an order of its own."""

    def run(number: int) -> None:
        for turn in range(rounds):
            for at in range(len(_FATES)):
                try:
                    _FATES[(at * 5 + number * 3) % len(_FATES)](soak, turn + at + number)
                except Exception as problem:  # noqa: BLE001  told by the test, on its own thread
                    soak.failures.append(f"fate {at}: {problem!r}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    join_all(threads)
    assert not soak.failures, Counter(soak.failures).most_common(5)


@contextmanager
def _soaking(directory: Path, authority: Authority) -> Iterator[tuple[_Soak, Instance]]:
    with Instance(_script) as instance, reserve() as refusing:
        config = configure(
            instance.address,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            admin="127.0.0.1:0",
            tls=tls_config(authority.issue(HOST)),
        )
        config["apps"]["down"] = {
            "domains": ["down.example.com"],
            "production": {"instances": [f"127.0.0.1:{refusing.getsockname()[1]}"]},
        }
        with FrontDoor(config, directory) as door:
            yield _Soak(door, authority.context(version=ssl.TLSVersion.TLSv1_2)), instance


def test_nothing_is_left_of_requests_of_every_fate(tmp_path: Path, authority: Authority) -> None:
    # spec: R3, R4, E1, F3: descriptors, memory, counters, and one line a request
    with _soaking(tmp_path, authority) as (soak, instance):
        door = soak.door
        worker = door.workers[0]

        def own_files() -> int:
            return process.open_files(worker) - instance.open_connections

        _rounds(soak, 3)
        wait_for(lambda: metric(door, "lb_connections_open") == 0, "all connections to be closed")
        wait_for(lambda: instance.open_connections <= _CLIENTS, "the instance to be let go")
        files = own_files()
        grown = process.growth_by_round(worker, lambda: _rounds(soak, 2), rounds=3)
        wait_for(lambda: metric(door, "lb_connections_open") == 0, "all connections to be closed")
        wait_for(lambda: instance.open_connections <= _CLIENTS, "the instance to be let go")
        wait_for(lambda: own_files() <= files, "the descriptors to be closed")
        wait_for(lambda: metric(door, "lb_requests_total") == soak.requests, f"{soak.requests} to be counted")
        door.wait_log_where(lambda entries: len(entries) >= soak.requests, "a line a request")
        entries = door.log()
        assert len(entries) == soak.requests
        assert len({entry["request_id"] for entry in entries}) == soak.requests
        for cause, count in Counter(entry["cause"] for entry in entries if entry["cause"] is not None).items():
            assert metric(door, f'lb_errors_total{{cause="{cause}"}}') == count
        assert min(grown) < 1 << 20, grown
        assert metric(door, "lb_tls_resumed_total") > 0
