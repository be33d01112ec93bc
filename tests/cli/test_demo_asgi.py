"""The demo's ASGI app by itself, as a server calls it: what it shows is what it got."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lb.cli import demo_asgi
from lb.cli.demo_asgi import application

PAGE = Path(demo_asgi.__file__).with_name("demo_page.html")


class Server:
    """Hands over what a client sends, and keeps what the app sends."""

    def __init__(self, *received: dict[str, Any]) -> None:
        self.received = list(received)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if not self.received:
            await asyncio.Event().wait()
        return self.received.pop(0)

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def run(self, scope: dict[str, Any]) -> None:
        await application(scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(one["body"] for one in self.sent[1:])


def request(path: str, query: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "http_version": "1.1",
        "headers": headers or [],
    }


async def test_the_page_shows_instance_environment_and_fields_escaped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text(PAGE.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(demo_asgi, "__file__", str(tmp_path / "asgi.py"))  # where the demo writes both
    server = Server()
    await server.run(request("/some/path", b"x=<1>", [(b"x-mark", b"<script>alert(1)</script>")]))
    page = server.body.decode()
    assert "<b>web1</b>" in page
    assert "<b>production</b>" in page
    assert "<th>x-mark<td>&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "GET /some/path?x=&lt;1&gt; HTTP/1.1" in page


async def test_json_keeps_order_and_repetition() -> None:
    server = Server()
    await server.run(request("/json", headers=[(b"x-one", b"1"), (b"x-two", b"2"), (b"x-one", b"3")]))
    assert json.loads(server.body)["fields"] == [["x-one", "1"], ["x-two", "2"], ["x-one", "3"]]


async def test_uploads_are_counted_and_hashed() -> None:
    pieces = [b"0123456789" * 30_000, b"", b"end"]
    messages = [{"type": "http.request", "body": piece, "more_body": piece != b"end"} for piece in pieces]
    server = Server(*messages)
    await server.run(request("/upload"))
    whole = b"".join(pieces)
    answer = json.loads(server.body)
    assert (answer["bytes"], answer["sha256"]) == (len(whole), hashlib.sha256(whole).hexdigest())


async def test_websocket_messages_come_back() -> None:
    server = Server(
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "text", "bytes": None},
        {"type": "websocket.receive", "bytes": b"\0\1"},
        {"type": "websocket.disconnect"},
    )
    await server.run({"type": "websocket", "path": "/ws"})
    assert server.sent == [
        {"type": "websocket.accept"},
        {"type": "websocket.send", "text": "text"},
        {"type": "websocket.send", "bytes": b"\0\1"},
    ]


async def test_events_come_until_the_client_goes() -> None:
    server = Server({"type": "http.request", "body": b""}, {"type": "http.disconnect"})
    await server.run(request("/events"))
    assert dict(server.sent[0]["headers"])[b"content-type"] == b"text/event-stream"
    assert server.body == b"id: 1\ndata: 1 from web1\n\nid: 2\ndata: 2 from web1\n\n"


async def test_slow_wants_a_number() -> None:
    bad, good = Server(), Server()
    await bad.run(request("/slow", b"seconds=soon"))
    assert bad.status == 400
    await good.run(request("/slow", b"seconds=0"))
    assert json.loads(good.body) == {"instance": "web1", "waited": 0.0}


async def test_the_life_of_the_process_is_answered() -> None:
    server = Server({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await server.run({"type": "lifespan"})
    assert [one["type"] for one in server.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
