"""One question, and what comes of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lb.apps.run.http_question import StartAnswer, StartQuestion, ask


@asynccontextmanager
async def server(answer: bytes, heard: list[bytes] | None = None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        writer.write(answer)
        writer.close()

    made = await asyncio.start_server(serve, host, 0)
    async with made:
        yield f"127.0.0.1:{made.sockets[0].getsockname()[1]}"


def question(endpoint: str, timeout: float = 5) -> StartQuestion:
    return StartQuestion(endpoint, "/up", "shop.example.com", "https", timeout)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", StartAnswer(204, connected=True)),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", StartAnswer(200, body="hello", connected=True)),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /login\r\ncontent-length: 0\r\n\r\n",
            StartAnswer(302, "/login", connected=True),
        ),
        (b"HTTP/1.1 400\r\n\r\nDisallowedHost", StartAnswer(400, body="DisallowedHost", connected=True)),
        (b"SSH-2.0-OpenSSH\r\n", StartAnswer(problem="its answer is not HTTP", connected=True)),
        (b"", StartAnswer(problem="it closed the connection without an answer", connected=True)),
    ],
)
async def test_answers(data: bytes, answer: StartAnswer) -> None:
    async with server(data) as endpoint:
        found = await ask(question(endpoint))
    if answer.good:
        assert (found.status, found.connected) == (answer.status, True)
    else:
        assert found == answer


async def test_the_environment_s_own_host_and_proto_are_said() -> None:
    heard: list[bytes] = []
    async with server(b"HTTP/1.1 200 OK\r\n\r\n", heard) as endpoint:
        await ask(question(endpoint))
    [request] = heard
    assert request.startswith(b"GET /up HTTP/1.1\r\nHost: shop.example.com\r\n")
    assert b"\r\nX-Forwarded-Proto: https\r\n" in request


async def test_nobody_there(tmp_path: Path, free_port: int) -> None:
    for endpoint in (f"unix:{tmp_path}/none", f"127.0.0.1:{free_port}"):
        found = await ask(question(endpoint))
        assert (found.status, found.connected) == (0, False)
        assert found.problem


async def test_one_that_listens_and_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = await ask(question(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.1))
    assert found == StartAnswer(problem="no answer within 0.1 s", connected=True)


async def test_an_app_on_ipv6_alone_is_found() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    async with server(b"HTTP/1.1 200 OK\r\n\r\n", host="::1") as endpoint:
        assert (await ask(question(endpoint))).good


async def test_a_page_without_an_end_is_not_read_to_its_end() -> None:
    async with server(b"HTTP/1.1 500 No\r\n\r\n" + b"x" * (1 << 20)) as endpoint:
        found = await ask(question(endpoint))
    assert found.status == 500
    assert len(found.body) <= 16 << 10
