"""The demo's app by itself: what it shows is what it got."""

from __future__ import annotations

import hashlib
import io
import socket
import subprocess
import sys

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from lb.cli.demo_app import DemoApp

pytestmark = pytest.mark.long


@pytest.fixture
def app() -> DemoApp:
    return DemoApp("one", "production")


async def test_the_page_shows_instance_environment_and_fields_escaped(
    aiohttp_client: AiohttpClient, app: DemoApp
) -> None:
    client = await aiohttp_client(app.application())
    response = await client.get("/some/path?x=<1>", headers={"X-Mark": "<script>alert(1)</script>"})
    page = await response.text()
    assert response.content_type == "text/html"
    assert "<b>one</b>" in page
    assert "<b>production</b>" in page
    assert "<th>X-Mark<td>&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "GET /some/path?x=&lt;1&gt; HTTP/1.1" in page.replace("%3C", "&lt;").replace("%3E", "&gt;")


async def test_json_keeps_order_case_and_repetition(aiohttp_client: AiohttpClient, app: DemoApp) -> None:
    client = await aiohttp_client(app.application())
    response = await client.get("/json", headers=[("X-One", "1"), ("x-TWO", "2"), ("X-One", "3")])
    answer = await response.json()
    assert answer["instance"] == "one"
    assert [pair for pair in answer["fields"] if pair[0].lower() in ("x-one", "x-two")] == [
        ["X-One", "1"],
        ["x-TWO", "2"],
        ["X-One", "3"],
    ]


async def test_uploads_are_counted_and_hashed(aiohttp_client: AiohttpClient, app: DemoApp) -> None:
    client = await aiohttp_client(app.application())
    body = b"0123456789" * 300_000
    response = await client.post("/upload", data=io.BytesIO(body))
    answer = await response.json()
    assert (answer["bytes"], answer["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


async def test_websocket_messages_come_back(aiohttp_client: AiohttpClient, app: DemoApp) -> None:
    client = await aiohttp_client(app.application())
    async with client.ws_connect("/ws") as messages:
        await messages.send_str("text")
        assert await messages.receive_str() == "text"
        await messages.send_bytes(b"\0\1")
        assert await messages.receive_bytes() == b"\0\1"


async def test_events_come_one_by_one(aiohttp_client: AiohttpClient, app: DemoApp) -> None:
    client = await aiohttp_client(app.application())
    async with client.get("/events") as response:
        assert response.content_type == "text/event-stream"
        assert [await response.content.readline() for _ in range(3)] == [b"id: 1\n", b"data: 1 from one\n", b"\n"]


async def test_slow_wants_a_number(aiohttp_client: AiohttpClient, app: DemoApp) -> None:
    client = await aiohttp_client(app.application())
    assert (await client.get("/slow", params={"seconds": "soon"})).status == 400
    assert (await (await client.get("/slow", params={"seconds": "0"})).json())["instance"] == "one"


def test_a_taken_port_is_replaced_and_the_end_of_stdin_ends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "lb.cli.demo_app", f"--port={port}", "--name=one"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            said = process.stdout.readline().split()
            assert said[:2] == ["listening", "on"]
            assert int(said[2]) != port
            process.stdin.close()
            assert process.wait(10) == 0
