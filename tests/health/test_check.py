"""One check over real sockets: what counts as an answer, and how failures are said."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lb.health.check import CheckOutcome, CheckRequest, ask

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FIELDS = b"Host: shop.example.com\r\nConnection: close\r\n"


class Answers:
    """A server that answers each request line's target from a table, and keeps what it was asked."""

    def __init__(self, table: dict[str, bytes]) -> None:
        self.table = table
        self.seen: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.seen.append(request)
        writer.write(self.table[request.split()[1].decode()])
        await writer.drain()


@asynccontextmanager
async def serving(script: Script, path: str = "") -> AsyncIterator[CheckRequest]:
    """A question to a server that does what `script` says; leaving waits until it has done it."""
    tasks: list[asyncio.Task[Any]] = []

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        with suppress(ConnectionError):
            await script(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    if path:
        server = await asyncio.start_unix_server(guarded, path)
        question = CheckRequest(socket.AF_UNIX, path, ("/",), FIELDS, ("2xx",), 5.0)
    else:
        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()[:2]
        question = CheckRequest(socket.AF_INET, address, ("/",), FIELDS, ("2xx",), 5.0)
    yield question
    server.close()
    await asyncio.gather(*tasks)
    await server.wait_closed()


async def asked(script: Script, *uris: str, first: str = "", **different: Any) -> CheckOutcome:
    async with serving(script) as question:
        return await ask(replace(question, uris=uris or ("/",), **different), first)


def status(code: int, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n%b\r\nok" % (code, more)


@pytest.mark.parametrize(
    ("answer", "statuses", "passed", "words"),
    [
        (status(200), ("2xx",), True, "GET / answered 200"),
        (status(204), ("2xx",), True, "GET / answered 204"),
        (status(500), ("2xx",), False, "GET / answered 500"),
        (status(404), ("2xx",), False, "GET / answered 404"),
        (status(301, b"Location: /elsewhere\r\n"), ("2xx",), False, "GET / answered 301"),
        (status(401), ("2xx", "401"), True, "GET / answered 401"),
        (status(403), ("2xx", "401"), False, "GET / answered 403"),
        (status(103) + status(200), ("2xx",), False, "GET / was not answered in HTTP"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + status(200), ("2xx",), True, "GET / answered 200"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", ("2xx",), False, "GET / was not answered in HTTP"),
        (b"", ("2xx",), False, "GET /: the connection ended before the response"),
        (b"HTTP/1.1 200 OK\r\nConte", ("2xx",), False, "GET /: the connection ended before the response"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000 + b"\r\n", ("2xx",), False, "GET / was not answered in HTTP"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1_000_000, ("2xx",), True, "GET / answered 200"),
    ],
)
async def test_answers(answer: bytes, statuses: tuple[str, ...], passed: bool, words: str) -> None:  # spec: A1
    outcome = await asked(Answers({"/": answer}), statuses=statuses)
    assert (outcome.passed, outcome.words) == (passed, words)


@pytest.mark.parametrize(
    ("ping", "home", "passed", "words", "asked_for"),
    [
        (200, 500, True, "GET /ping answered 200", ["/ping"]),
        (404, 200, True, "GET / answered 200", ["/ping", "/"]),
        (404, 500, False, "GET / answered 500", ["/ping", "/"]),
        (404, 404, False, "GET /ping answered 404, GET / answered 404", ["/ping", "/"]),
        (503, 500, False, "GET /ping answered 503, GET / answered 500", ["/ping", "/"]),
    ],
)
async def test_one_of_two_is_enough(ping: int, home: int, passed: bool, words: str, asked_for: list[str]) -> None:
    # spec: A1
    answers = Answers({"/ping": status(ping), "/": status(home)})
    outcome = await asked(answers, "/ping", "/")
    assert (outcome.passed, outcome.words) == (passed, words)
    assert [request.split()[1].decode() for request in answers.seen] == asked_for


async def test_what_was_answered_well_is_asked_for_first() -> None:
    answers = Answers({"/ping": status(404), "/": status(200)})
    outcome = await asked(answers, "/ping", "/")
    assert outcome.uri == "/"
    await asked(answers, "/ping", "/", first=outcome.uri)
    assert [request.split()[1] for request in answers.seen] == [b"/ping", b"/", b"/"]


@pytest.mark.parametrize(
    ("answered", "statuses", "words", "remedy"),
    [
        (
            400,
            ("2xx",),
            "GET /up answered 400 (Host: shop.example.com)",
            "let the app accept this Host, set health_uri to a path that answers 2xx, or health_status: [2xx, 400]",
        ),
        (
            302,
            ("2xx",),
            "GET /up answered 302 (Host: shop.example.com)",
            "set health_uri to a path that answers 2xx, or health_status: [2xx, 302]",
        ),
        (
            500,
            ("2xx", "3xx", "4xx"),
            "GET /up answered 500 (Host: shop.example.com)",
            "fix the app, set health_uri to a path that answers 2xx, or health_status: [2xx, 3xx, 4xx, 500]",
        ),
    ],
)
async def test_a_bad_status_names_the_host_and_the_keys(
    answered: int, statuses: tuple[str, ...], words: str, remedy: str
) -> None:
    # spec: E3, A1
    answers = Answers({"/up": status(answered)})
    outcome = await asked(answers, "/up", statuses=statuses, host="shop.example.com")
    assert outcome == CheckOutcome(False, words, status=answered, remedy=remedy)


async def test_one_that_speaks_tls() -> None:
    # spec: E3
    outcome = await asked(Answers({"/": b"\x15\x03\x03\x00\x02\x02\x46"}))
    assert outcome == CheckOutcome(False, "GET / was answered in TLS instead of plain HTTP")


async def test_a_file_that_is_no_socket(tmp_path: Path) -> None:
    # spec: E3
    path = tmp_path / "app.sock"
    path.write_text("")
    question = CheckRequest(socket.AF_UNIX, str(path), ("/",), FIELDS, ("2xx",), 5.0)
    assert await ask(question) == CheckOutcome(False, "GET / failed: the path is not a socket")


async def test_what_is_sent() -> None:
    answers = Answers({"/health?full=1": status(200)})
    await asked(answers, "/health?full=1")
    assert answers.seen == [b"GET /health?full=1 HTTP/1.1\r\n" + FIELDS + b"\r\n"]


async def test_one_that_hangs_is_late() -> None:
    gone = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side gives up
        gone.set()

    outcome = await asked(hang, "/ping", "/", timeout=0.2)
    assert (outcome.passed, outcome.words) == (False, "GET /ping was not answered within 0.2 s")
    assert gone.is_set()


async def test_a_body_without_end_does_not_hold_up_the_verdict() -> None:
    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await reader.read()

    assert (await asked(stream)).passed


async def test_nobody_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        question = CheckRequest(socket.AF_INET, sock.getsockname(), ("/",), FIELDS, ("2xx",), 5.0)
        assert await ask(question) == CheckOutcome(False, "GET / failed: connection refused")


async def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    question = CheckRequest(socket.AF_UNIX, path, ("/",), FIELDS, ("2xx",), 5.0)
    assert await ask(question) == CheckOutcome(False, "GET / failed: no such file or directory")
    async with serving(Answers({"/": status(200)}), path):
        assert (await ask(question)).passed
