"""How HTTP/2 connections end when the service does not want them any more: told first, and with nothing lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.http2 import Http2Client, fields_of
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import PATIENCE, wait_for


class App:
    """Answers at once, save for `/slow`, which waits for `go`."""

    def __init__(self) -> None:
        self.go = Event()

    def __call__(self, peer: Peer) -> None:
        while True:
            request = peer.request()
            if request.target == b"/slow":
                assert self.go.wait(PATIENCE)
            peer.send(ok(request.target))


def clear(instance: Instance, **top: Any) -> dict[str, Any]:
    return configure(instance.address, **{"listen": {"http": "127.0.0.1:0", "h2c": True}, **top})


def test_a_stop_tells_the_client_and_waits_for_what_is_under_way(tmp_path: Path) -> None:
    app = App()
    with Instance(app) as instance, FrontDoor(clear(instance), tmp_path) as door:
        with Http2Client(("127.0.0.1", door.http)) as client, Http2Client(("127.0.0.1", door.http)) as idle:
            slow = client.get("/slow")
            idle.ask("/first")
            instance.wait_requests(2)
            door.signal(signal.SIGTERM)
            client.read_until(lambda: client.goaways)
            assert client.goaways[0] == (0, 2**31 - 1)
            late = client.get("/late")  # it was on its way
            client.finish(late)
            assert late.status == 200
            client.read_until(lambda: len(client.goaways) == 2)
            assert client.goaways[1] == (0, late.number)
            app.go.set()
            client.finish(slow)
            assert bytes(slow.body) == b"/slow"
            client.read_to_end()
            idle.read_to_end()
            assert [code for code, _ in idle.goaways] == [0, 0]
        assert door.wait_end() == 0


def test_what_is_left_when_the_time_is_over_is_cut_visibly(tmp_path: Path) -> None:
    app = App()
    with (
        Instance(app) as instance,
        FrontDoor(clear(instance, timeouts={"drain": "3s"}), tmp_path) as door,
        Http2Client(("127.0.0.1", door.http)) as client,
    ):
        slow = client.get("/slow")
        instance.wait_requests(1)
        door.signal(signal.SIGTERM)
        client.finish(slow)
        assert slow.status == 503
        app.go.set()
        client.read_to_end()
        assert door.wait_end() == 0
        assert door.wait_log(target="/slow")["cause"] == "proxy_stopped"


def test_a_reload_ends_no_connection(tmp_path: Path) -> None:
    app = App()
    with (
        Instance(app) as instance,
        FrontDoor(clear(instance), tmp_path) as door,
        Http2Client(("127.0.0.1", door.http)) as client,
    ):
        slow = client.get("/slow")
        instance.wait_requests(1)
        for _ in range(3):
            assert door.reload(clear(instance))
        app.go.set()
        client.finish(slow)
        assert client.ask("/after").status == 200
        assert not client.goaways


def test_a_reload_that_takes_the_protocol_away_says_so(tmp_path: Path, authority: Authority) -> None:
    app = App()
    certificate = authority.issue(HOST)

    def config(*protocols: str) -> dict[str, Any]:
        listen = {"https": "127.0.0.1:0", "protocols": list(protocols)}
        return configure(instance.address, listen=listen, tls=tls_config(certificate))

    def connect() -> Http2Client:
        return Http2Client(("127.0.0.1", door.https), tls=authority.context(alpn=("h2", "http/1.1")))

    with Instance(app) as instance, FrontDoor(config("h2", "http/1.1"), tmp_path) as door, connect() as client:
        slow = client.get("/slow")
        instance.wait_requests(1)
        assert door.reload(config("http/1.1"))
        client.read_until(lambda: len(client.goaways) == 2)
        app.go.set()
        client.finish(slow)
        assert slow.status == 200
        client.read_to_end()
        with door.connect_tls(authority.context(alpn=("h2", "http/1.1"))) as again:
            assert again.sock.selected_alpn_protocol() == "http/1.1"  # type: ignore[attr-defined]
        assert door.reload(config("h2", "http/1.1"))
        with connect() as other:
            assert other.ask("/again").status == 200


def test_a_retired_worker_sends_its_clients_to_the_others(tmp_path: Path) -> None:
    app = App()
    with Instance(app) as instance, FrontDoor(clear(instance, workers=2), tmp_path) as door:
        clients = [Http2Client(("127.0.0.1", door.http)) for _ in range(8)]
        for client in clients:
            assert client.ask("/before").status == 200
        assert door.reload(clear(instance, workers=1))
        told = wait_for(lambda: [client for client in clients if _was_told(client)], "a GOAWAY")
        for client in told:
            client.read_to_end()
        for client in clients:
            if client not in told:
                assert client.ask("/after").status == 200
            client.client.close()


def _was_told(client: Http2Client) -> bool:
    client.sock.settimeout(0.05)
    try:
        client.read()
    except TimeoutError:
        return False
    finally:
        client.sock.settimeout(PATIENCE)
    return bool(client.goaways)


def test_an_upgrade_finishes_what_is_under_way(tmp_path: Path) -> None:
    app = App()
    with Instance(app) as instance:
        door = FrontDoor(clear(instance), tmp_path)
        try:
            with Http2Client(("127.0.0.1", door.http)) as client:
                slow = client.get("/slow")
                instance.wait_requests(1)
                assert run_lb("upgrade", str(door.file)).returncode == 0
                client.read_until(lambda: client.goaways)
                app.go.set()
                client.finish(slow)
                assert slow.status == 200
                client.read_to_end()
            with Http2Client(("127.0.0.1", door.http)) as client:
                assert client.ask("/new").status == 200
            assert door.process.wait(PATIENCE) == 0
        finally:
            run_lb("stop", str(door.file))
            door.kill()


def test_what_is_open_is_reported_stream_by_stream(tmp_path: Path) -> None:
    app = App()
    with Instance(app) as instance, FrontDoor(clear(instance), tmp_path) as door:
        with Http2Client(("127.0.0.1", door.http)) as client:
            slow = [client.get("/slow"), client.get("/slow")]
            upload = client.begin(fields_of("POST", "/upload"), ended=False)
            instance.wait_peers(3)
            door.signal(signal.SIGTERM)

            def shares() -> list[dict[str, Any]]:
                status = json.loads(run_lb("status", str(door.file), "--json").stdout)
                return [share for worker in status["workers"] for share in worker["open"]]

            open_now = wait_for(lambda: found if len(found := shares()) == 2 else [], "the report")
            assert {share["kind"]: share["connections"] for share in open_now} == {"request": 2, "upload": 1}
            app.go.set()
            client.send(upload, b"")
            client.finish(*slow, upload)
            client.read_to_end()
        assert door.wait_end() == 0


@pytest.mark.parametrize("number", [1, 3])
def test_a_connection_says_goodbye(tmp_path: Path, number: int) -> None:
    """A client's GOAWAY: what it has begun is answered, then the connection ends."""
    app = App()
    app.go.set()
    with (
        Instance(app) as instance,
        FrontDoor(clear(instance), tmp_path) as door,
        Http2Client(("127.0.0.1", door.http)) as client,
    ):
        streams = [client.get("/slow") for _ in range(number)]
        client.raw(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))
        client.finish(*streams)
        client.read_to_end()
