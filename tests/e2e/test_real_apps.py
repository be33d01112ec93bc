"""Flask, Django and FastAPI under gunicorn and uvicorn behind the front door, as their users run them.

Django on WSGI reads no body without Content-Length: a chunked upload has to reach it with one.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from websockets.sync.client import connect

from tests.e2e.conftest import ShortPaths
from tests.e2e.harness import process
from tests.e2e.harness.app import GUNICORN, UVICORN, serving
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import chunk, get, message, post
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.wire import Response, read_chunk

APPS = ("flask", "django", "fastapi")
MIB = 1 << 20
UPLOADS = [(app, kind) for app in APPS for kind in ("length", "chunked")]
BLOCK = bytes(range(256)) * 4096


@dataclass(frozen=True, slots=True)
class Site:
    door: FrontDoor
    authority: Authority


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, authority: Authority, short_paths: ShortPaths) -> Iterator[Site]:
    """The three apps at flask.example.com, django.example.com and fastapi.example.com."""
    with ExitStack() as stack:
        addresses = {
            app: stack.enter_context(serving(server, f"{app}_app", short_paths()))
            for app, server in zip(APPS, (GUNICORN, GUNICORN, UVICORN), strict=True)
        }
        config = {
            "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            "workers": 1,
            "compression": {"algorithms": ["gzip"]},
            "tls": tls_config(authority.issue("*.example.com")),
            "apps": {
                app: {"domains": [f"{app}.example.com"], "production": {"instances": [address]}}
                for app, address in addresses.items()
            },
        }
        yield Site(stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("real"))), authority)


@pytest.mark.parametrize("app", APPS)
def test_an_app_learns_who_its_client_is(site: Site, app: str) -> None:
    # spec: H1, T1
    host = f"{app}.example.com"
    with site.door.connect_tls(site.authority.context(), host) as client:
        for body in (b"", b"hello", b"x" * 100_000):
            seen = json.loads(client.ask(post("/", body, "X-Real-IP: 6.6.6.6", host=host)).body)
            fields = {name.lower(): value for name, value in seen["fields"]}
            assert (seen["method"], seen["body"]) == ("POST", body.decode())
            assert fields["x-real-ip"] == "127.0.0.1"
            assert fields["x-forwarded-proto"] == "https"
            assert fields["host"] == host
        if app == "django":
            assert seen["url"] == f"https://{host}/"


@pytest.mark.parametrize("app", APPS)
def test_streams_cookies_and_missing_pages_pass(site: Site, app: str) -> None:
    # spec: F4, H6
    host = f"{app}.example.com"
    with site.door.connect() as client:
        stream = client.ask(get("/stream", host=host))
        assert stream.body == b"".join(b"piece %d\n" % number for number in range(100))
        cookies = client.ask(get("/cookies", host=host)).all("set-cookie")
        assert [cookie.split(b";")[0] for cookie in cookies] == [b"a=1", b"b=2"]
        missing = client.ask(get("/missing", host=host))
        assert (missing.status, missing.has("proxy-status")) == (404, False)
        head = client.ask(message("HEAD /stream", host=host))
        assert head.body == b""


def _upload(site: Site, host: str, size: int, kind: str) -> Response:
    with site.door.connect() as client:
        line = f"Content-Length: {size * MIB}" if kind == "length" else "Transfer-Encoding: chunked"
        client.send(message("POST /upload", line, "Accept: application/json", host=host))
        for _ in range(size):
            client.send_quietly(BLOCK if kind == "length" else chunk(BLOCK))
        if kind == "chunked":
            client.send_quietly(b"0\r\n\r\n")
        return client.response()


@pytest.mark.parametrize(("app", "kind"), UPLOADS)
def test_an_upload_of_90_mb_passes(site: Site, app: str, kind: str) -> None:
    # spec: L2, F3, F6
    worker = site.door.workers[0]
    before = process.peak_memory(worker)
    response = _upload(site, f"{app}.example.com", 90, kind)
    assert response.status == 200, response.body
    digest = hashlib.sha256()
    for _ in range(90):
        digest.update(BLOCK)
    assert json.loads(response.body) == {"bytes": 90 * MIB, "sha256": digest.hexdigest()}
    assert process.peak_memory(worker) - before < 8 * MIB


@pytest.mark.parametrize(("app", "kind"), UPLOADS)
def test_an_upload_of_110_mb_is_refused(site: Site, app: str, kind: str) -> None:
    # spec: L2
    assert_error(_upload(site, f"{app}.example.com", 110, kind), 413, "request_body_too_large")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websocket_of_fastapi(site: Site, scheme: str) -> None:
    # spec: F4
    port = site.door.http if scheme == "ws" else site.door.https
    context = site.authority.context() if scheme == "wss" else None
    with (
        socket.create_connection(("127.0.0.1", port)) as sock,
        connect(f"{scheme}://fastapi.example.com/ws", sock=sock, ssl=context) as client,
    ):
        for text in ("hello", "x" * 100_000, "caf\xe9"):
            client.send(text)
            assert client.recv(20) == text


def test_events_of_fastapi(site: Site) -> None:
    # spec: F4, C3
    with site.door.connect() as client:
        client.send(get("/events", "Accept-Encoding: identity", host="fastapi.example.com"))
        assert client.head().one("content-type").startswith(b"text/event-stream")
        got = b""
        while got != b"data: 0\n\ndata: 1\n\ndata: 2\n\n":
            got += read_chunk(client.stream)


def test_posts_spaced_around_the_keep_alive_of_gunicorn_meet_no_error(site: Site) -> None:
    # spec: F2: gunicorn closes an idle connection after 2 s
    outcomes: Counter[int] = Counter()
    start = threading.Event()

    def client_of(pause: float) -> None:
        with site.door.connect() as client:
            for turn in range(4):
                outcomes[client.ask(post("/", b"%d" % turn, host="flask.example.com")).status] += 1
                start.wait(pause)

    threads = [threading.Thread(target=client_of, args=(1.7 + step * 0.025,)) for step in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {200: 4 * 24}
