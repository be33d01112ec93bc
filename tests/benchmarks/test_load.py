"""The responder and the load generator, one against the other: every figure of a benchmark stands on these two."""

from __future__ import annotations

import http.client
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.certificate import Certificate
from benchmarks.load import Load
from benchmarks.page import make_page
from benchmarks.peers.base import Setup
from lb.cli.bench_figures import FiguresError
from tests.benchmarks.tools import need


def _get(port: int, path: str, body: bytes | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST" if body is not None else "GET", path, body)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


class _Server(socketserver.ThreadingTCPServer):
    """One request a connection, then closes; notes whether its handshake resumed a session (None without TLS)."""

    allow_reuse_address = True
    daemon_threads = True
    context: ssl.SSLContext | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[bool | None] = []


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        context = self.server.context
        connection = context.wrap_socket(self.request, server_side=True) if context else self.request
        self.server.seen.append(connection.session_reused if isinstance(connection, ssl.SSLSocket) else None)
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        assert b"\r\nConnection: close\r\n" in head
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        connection.close()


@contextmanager
def _closing_server(certificate: Certificate | None) -> Iterator[tuple[int, list[bool | None]]]:
    with _Server() as server:
        if certificate:
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(certificate.cert, certificate.key)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1], server.seen
        finally:
            server.shutdown()
            thread.join()


def test_page_is_the_same_every_time_and_as_long_as_asked() -> None:
    assert make_page(100_000) == make_page(100_000)
    assert len(make_page(100_000)) >= 100_000


def test_responder_bodies(instances: tuple[int, ...]) -> None:
    response, body = _get(instances[0], "/bytes/20480")
    assert (response.status, len(body), response.getheader("Content-Type")) == (200, 20480, "application/octet-stream")
    response, body = _get(instances[1], "/html/20480")
    assert body == make_page(256 * 1024)[:20480]
    assert response.getheader("Content-Type") == "text/html; charset=utf-8"
    _response, body = _get(instances[0], "/bytes/10000000")
    assert len(body) == 10_000_000


def test_responder_takes_uploads_and_refuses_chunked_ones(instances: tuple[int, ...]) -> None:
    response, _body = _get(instances[0], "/upload", b"x" * 3_000_000)
    assert response.status == 200
    connection = http.client.HTTPConnection("127.0.0.1", instances[0], timeout=10)
    connection.request(
        "POST", "/upload", iter([b"piece"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    assert connection.getresponse().status == 411
    connection.close()


def test_small_response_is_126_bytes(load: Load, instances: tuple[int, ...]) -> None:
    figures = load.generator(instances[0], "--requests", "50", "--connections", "5")
    assert (figures.requests, figures.bytes_in, figures.failed) == (50, 50 * 126, 0)


@pytest.mark.parametrize("words", [("--path", "/bytes/1000000"), ("--upload", "1000000")])
def test_generator_makes_exactly_the_requests_asked_for(
    load: Load, instances: tuple[int, ...], words: tuple[str, ...]
) -> None:
    figures = load.generator(instances[0], "--requests", "20", "--connections", "4", *words)
    assert (figures.requests, figures.failed) == (20, 0)


def test_an_unknown_option_gives_no_figures(load: Load) -> None:
    with pytest.raises(FiguresError):
        load.generator(1, "--bad-option")


@pytest.mark.parametrize("tls", ["", "full", "resumed"])
def test_new_connections_and_handshakes_of_the_kind_asked_for(load: Load, setup: Setup, tls: str) -> None:
    with _closing_server(setup.certificate if tls else None) as (port, seen):
        words = ("--tls", tls) if tls else ()
        figures = load.generator(port, "--close", "--requests", "12", "--connections", "2", *words)
    assert (figures.requests, figures.errors) == (12, dict.fromkeys(figures.errors, 0))
    # The first of all has no ticket to show.
    assert seen == {"": [None] * 12, "full": [False] * 12, "resumed": [False] + [True] * 11}[tls]


def test_constant_rate_is_kept_and_latency_is_in_order(load: Load, instances: tuple[int, ...]) -> None:
    figures = load.generator(instances[0], "--rate", "2000", "--seconds", "0.5")
    assert (figures.requests, figures.failed) == (1000, 0)
    assert 0 < figures.percentiles[50.0] <= figures.percentiles[99.0] <= figures.percentiles[100.0]


def test_nobody_listening_is_counted_not_hidden(load: Load) -> None:
    figures = load.generator(1, "--requests", "5", "--connections", "1")
    assert (figures.requests, figures.errors["connect"]) == (0, 5)


def test_held_connections_stay_open_while_the_block_runs(load: Load, instances: tuple[int, ...]) -> None:
    with load.held(instances[0], 100, "") as figures:
        assert (figures.requests, figures.failed) == (100, 0)


def test_wrk_reports_through_its_script(load: Load, instances: tuple[int, ...]) -> None:
    need("wrk")
    figures = load.wrk("http", instances[0], "/small", 1)
    assert figures.requests > 100
    assert figures.failed == 0
    assert figures.percentiles[99.0] >= figures.percentiles[50.0] > 0


def test_spread_asks_for_every_domain(load: Load, instances: tuple[int, ...]) -> None:
    need("wrk")
    assert load.spread(instances[0], 50, 1).failed == 0
