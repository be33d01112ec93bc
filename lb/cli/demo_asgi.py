"""The app of `lb demo`: ASGI, without a framework. It shows what an app behind lb receives.

Edit it, then: lb deploy demo demo/web --prod
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs

INSTANCE = os.environ.get("LEANCLOUD_APP_INSTANCE", "web1")
ENVIRONMENT = {"stage": "staging"}.get(os.environ.get("LEANCLOUD_APP_ENV", ""), "production")
LONGEST_WAIT = 300.0  # seconds, for /slow

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """What the server calls for each request, and once for the life of the process."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        handler = {"/json": show_json, "/slow": slow, "/events": events, "/upload": upload}.get(scope["path"], show)
        await handler(scope, receive, send)


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def show(scope: Scope, _: Receive, send: Send) -> None:
    rows = "".join(f"<tr><th>{html.escape(name)}<td>{html.escape(value)}\n" for name, value in fields(scope))
    request = f"{scope['method']} {target(scope)} HTTP/{scope['http_version']}"
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    page = template.substitute(name=INSTANCE, environment=ENVIRONMENT, request=html.escape(request), rows=rows)
    await respond(send, page.encode(), "text/html; charset=utf-8")


async def show_json(scope: Scope, _: Receive, send: Send) -> None:
    await respond_json(
        send,
        instance=INSTANCE,
        environment=ENVIRONMENT,
        method=scope["method"],
        target=target(scope),
        fields=fields(scope),
    )


async def slow(scope: Scope, _: Receive, send: Send) -> None:
    try:
        seconds = float(parse_qs(scope["query_string"].decode("latin-1")).get("seconds", ["1"])[0])
    except ValueError:
        await respond(send, b"seconds: a number\n", "text/plain", 400)
        return
    await asyncio.sleep(min(max(seconds, 0.0), LONGEST_WAIT))
    await respond_json(send, instance=INSTANCE, waited=seconds)


async def upload(_: Scope, receive: Receive, send: Send) -> None:
    digest, count, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        piece = message.get("body", b"")
        digest.update(piece)
        count += len(piece)
        more = message.get("more_body", False)
    await respond_json(send, instance=INSTANCE, bytes=count, sha256=digest.hexdigest())


async def events(_: Scope, receive: Receive, send: Send) -> None:
    """Server-sent events, one a second, until the client goes or the server ends."""
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    number = 0
    while True:
        number += 1
        body = f"id: {number}\ndata: {number} from {INSTANCE}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
        try:
            message = await asyncio.wait_for(receive(), 1.0)
        except TimeoutError:
            continue
        if message["type"] == "http.disconnect":
            return


async def echo(receive: Receive, send: Send) -> None:
    """A WebSocket that answers each message with itself."""
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            kept = {key: message[key] for key in ("text", "bytes") if message.get(key) is not None}
            await send({"type": "websocket.send", **kept})
        else:
            return


def target(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    return f"{path}?{query}" if query else path


def fields(scope: Scope) -> list[tuple[str, str]]:
    """The header fields in their order, repeated ones included; an ASGI server makes their names lower case."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


async def respond_json(send: Send, **content: Any) -> None:
    await respond(send, json.dumps(content).encode(), "application/json")


async def respond(send: Send, body: bytes, content_type: str, status: int = 200) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
