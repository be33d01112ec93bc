"""`lb bench`: with wrk, with h2load and with its own generator, against servers that answer well and badly."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from benchmarks.peers.base import Setup
from lb.cli.bench import bars, bench, is_loopback
from lb.cli.bench_client import generate
from lb.cli.bench_figures import Figures
from tests.benchmarks.tools import need

_ANSWERS = {
    "length": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    "pieces": [b"HTTP/1.1 200 O", b"K\r\nContent-Length: 5\r\n\r\nhe", b"llo"],
    "chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhel", b"lo\r\n0\r\nTrailer: 1\r\n\r\n"],
    "interim": [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"],
    "close": [b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b""],
    "old": [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b""],
}
_FAILURES = {
    "garbage": ([b"what?\r\n\r\n"], "read"),
    "cut": ([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhe", b""], "read"),
    "bad length": ([b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"], "read"),
    "missing": ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "status 4xx"),
    "broken": ([b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"], "status 5xx"),
}


@asynccontextmanager
async def _server(pieces: list[bytes], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answers every request with `pieces`; an empty one at the end closes the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                if not pieces[-1]:
                    break
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def _bench(port: int, scheme: str = "http", host: str = "127.0.0.1") -> Figures:
    return await generate(urlsplit(f"{scheme}://{host}:{port}/path?q=1"), 2, 0.3, lambda _passed: None)


@pytest.mark.parametrize("name", _ANSWERS)
async def test_own_generator_finds_the_end_of_every_response(name: str) -> None:
    async with _server(_ANSWERS[name]) as port:
        figures = await _bench(port)
    assert figures.requests > 2
    assert figures.failed == 0
    assert figures.bytes_in >= figures.requests * 4
    assert figures.percentiles[50.0] <= figures.percentiles[100.0]


@pytest.mark.parametrize("name", _FAILURES)
async def test_own_generator_counts_errors_by_class(name: str) -> None:
    pieces, error_class = _FAILURES[name]
    async with _server(pieces) as port:
        figures = await _bench(port)
    assert figures.requests == 0
    assert set(figures.errors) == {error_class}


async def test_own_generator_counts_refused_connections() -> None:
    figures = await _bench(1)
    assert figures.requests == 0
    assert set(figures.errors) == {"connect"}


async def test_own_generator_takes_any_certificate_and_names_under_localhost(setup: Setup) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(setup.certificate.cert, setup.certificate.key)
    async with _server(_ANSWERS["length"], tls) as port:
        figures = await _bench(port, "https", "demo.localhost")
    assert figures.requests > 0
    assert figures.failed == 0


def test_loopback_is_told_from_elsewhere() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost", "stg-demo.localhost")))
    assert not any(map(is_loopback, ("192.0.2.1", "10.0.0.1", "2001:db8::1", "no-such-host.invalid")))


def test_bars_grow_with_the_logarithm() -> None:
    drawn = [len(bar) for bar in bars([10.0, 100.0, 1000.0], 40)]
    assert drawn[0] < drawn[1] < drawn[2] == 40
    # Each factor of ten adds the same length.
    assert abs((drawn[2] - drawn[1]) - (drawn[1] - drawn[0])) <= 1
    assert bars([]) == []


def _invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(bench, arguments)
    return result.exit_code, result.output


def test_another_machine_is_refused_without_yes() -> None:
    code, output = _invoke("http://192.0.2.1/")
    assert code == 2
    assert "--yes" in output


@pytest.mark.parametrize("url", ["ftp://localhost/", "http://", "http://localhost:99999/"])
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    code, output = _invoke(url)
    assert code == 2
    assert "not an http:// or https:// address" in output


def _hide(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    def which(name: str, real: Callable[[str], str | None]) -> str | None:
        return None if name in programs else real(name)

    real = shutil.which
    monkeypatch.setattr("lb.cli.bench_run.shutil.which", lambda name: which(name, real))


def test_command_shows_figures_and_chart(instances: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, "wrk")
    code, output = _invoke(f"http://127.0.0.1:{instances[0]}/", "--duration", "0.5", "--connections", "4")
    assert code == 0, output
    assert "load by lb's own generator" in output.replace("\n", " ")
    assert "p99" in output
    assert "█" in output
    assert "no errors" in output


def test_command_uses_wrk_where_it_is(instances: tuple[int, ...]) -> None:
    need("wrk")
    code, output = _invoke(f"http://127.0.0.1:{instances[0]}/", "--duration", "0.5", "--connections", "4")
    assert code == 0, output
    assert "load by wrk" in output


def test_command_fails_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, "wrk")
    code, output = _invoke("http://127.0.0.1:1/", "--duration", "0.5", "--connections", "1")
    assert code == 1
    assert "connect" in output


def test_http2_needs_h2load(monkeypatch: pytest.MonkeyPatch) -> None:
    _hide(monkeypatch, "h2load")
    code, output = _invoke("http://127.0.0.1:1/", "--http2")
    assert code == 1
    assert "nghttp2-client" in output
