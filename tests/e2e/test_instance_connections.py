"""Instances that serve one connection at a time: idle connections count, and keep-alive can be switched off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.client import get, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import wait_for

ONE = {"instance_connections": 1}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections, while its server serves one at a time

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) + self.command.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  the library's names

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _one_at_a_time() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _config(address: str, *, workers: int = 1, limits: dict[str, Any] | None = None, **environment: Any) -> Any:
    config = configure(address, workers=workers, limits=limits or {}, timeouts={"response": "5s"})
    config["apps"]["shop"]["production"].update(environment)
    return config


@pytest.mark.parametrize(
    ("workers", "limits", "environment"),
    [(1, ONE, {}), (1, None, {"keep_alive": "off"}), (3, None, {"keep_alive": "off"}), (2, ONE, {"keep_alive": False})],
    ids=["limit", "no keep-alive", "no keep-alive, three workers", "both"],
)
def test_a_single_threaded_instance_serves_everyone(
    tmp_path: Path, workers: int, limits: dict[str, Any] | None, environment: dict[str, Any]
) -> None:
    # spec: L5
    with _one_at_a_time() as address:
        config = _config(address, workers=workers, limits=limits, **environment)
        with FrontDoor(config, tmp_path) as door:
            for _ in range(8):
                assert door.ask(get()).body == b"GET"
                assert door.ask(post("/", b"x")).body == b"xPOST"


def test_never_more_connections_than_the_limit(tmp_path: Path) -> None:
    # spec: L5, F2: what may not go out on an idle connection closes it for its own
    with Instance(echo()) as instance, FrontDoor(_config(instance.address, limits=ONE), tmp_path) as door:
        for turn in range(20):
            assert door.ask(get() if turn % 3 else post("/", b"x")).status == 200
            wait_for(lambda: instance.open_connections <= 1, "the one before to be closed")
        assert 1 < instance.connections < 20


def test_without_keep_alive_each_request_has_a_connection(tmp_path: Path) -> None:
    with Instance(echo()) as instance, FrontDoor(_config(instance.address, keep_alive="off"), tmp_path) as door:
        for turn in range(4):
            with door.connect() as client:
                for _ in range(2):  # the client's own connection is kept
                    seen = Echo(client.ask(get()))
                    assert seen.all("connection") == ["close"]
            assert seen.connection == 2 * turn + 1
        assert Echo(door.ask(post("/", b"body"))).seen["length"] == 4
        wait_for(lambda: instance.open_connections == 0, "the connections to be closed")
        assert door.reload(_config(instance.address, keep_alive="on"))
        first = Echo(door.ask(get()))
        assert first.all("connection") == []
        assert Echo(door.ask(get())).connection == first.connection
        assert door.reload(_config(instance.address, keep_alive="off"))
        assert Echo(door.ask(get())).all("connection") == ["close"]
        wait_for(lambda: instance.open_connections == 0, "the connections to be closed")


def test_a_connection_that_is_kept_serves_the_next_one(tmp_path: Path) -> None:
    # a limit does not mean that nothing is reused
    with Instance(echo()) as instance, FrontDoor(_config(instance.address, limits=ONE), tmp_path) as door:
        assert {Echo(door.ask(get())).connection for _ in range(10)} == {0}
