"""The app under each server: it answers with what it was given, in one field of its response, and an empty body.

`python -m tests.e2e.readers.report PORT` serves it by aiohttp; `asgi` and `wsgi` are for the servers of those names.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

FIELD = "X-Read"


def told(method: str, target: str, body: bytes) -> str:
    """What one request is in the report: method, whether it is the sentinel, length and digest of the body."""
    what = "sentinel" if target.endswith("/sentinel") else "request"
    return f"{method} {what} {len(body)} {hashlib.sha256(body).hexdigest()[:16]}"


async def asgi(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    field = (FIELD.encode(), told(scope["method"], scope["path"], body).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [field, (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def wsgi(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    report = told(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    start_response("200 OK", [(FIELD, report), ("Content-Length", "0")])
    return [b""]


def _serve_aiohttp(port: int) -> None:
    from aiohttp import web  # noqa: PLC0415  the other servers do without

    async def answer(request: web.Request) -> web.Response:
        return web.Response(headers={FIELD: told(request.method, request.path, await request.read())})

    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{rest:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    _serve_aiohttp(int(sys.argv[1]))
