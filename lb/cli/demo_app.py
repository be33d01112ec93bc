"""One instance of the demo's app: `python -m lb.cli.demo_app --port 9001 --name one --environment production`.

An ordinary app that knows nothing of `lb`: it shows what it was sent. It prints `listening on PORT` to stdout when it
serves; if the port is in use, the system picks one. It ends on SIGTERM, and with its parent if stdin is a pipe from
the parent.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import hashlib
import html
import os
import signal
import socket
import stat
from contextlib import suppress
from importlib.resources import files
from string import Template

from aiohttp import WSMsgType, web

_STDIN, _STDOUT = 0, 1
_LONGEST_WAIT = 300.0  # seconds, for /slow
_TICK = 1.0  # seconds between two server-sent events
_CLOSE_TIMEOUT = 0.5  # seconds that open requests have when the app ends


class DemoApp:
    """The handlers of one instance."""

    def __init__(self, name: str, environment: str) -> None:
        self._name = name
        self._environment = environment
        self._page = Template((files("lb.cli") / "demo_page.html").read_text("utf-8"))
        self._ending = asyncio.Event()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/events", self._events)
        app.router.add_get("/json", self._json)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/ws", self._echo)
        app.router.add_post("/upload", self._upload)
        app.router.add_route("*", "/{path:.*}", self._show)
        app.on_shutdown.append(self._end)
        return app

    async def _end(self, _: web.Application) -> None:
        self._ending.set()

    async def _show(self, request: web.Request) -> web.Response:
        rows = "".join(f"<tr><th>{html.escape(name)}<td>{html.escape(value)}\n" for name, value in _fields(request))
        page = self._page.substitute(
            name=self._name,
            environment=self._environment,
            request=html.escape(
                f"{request.method} {request.path_qs} HTTP/{request.version.major}.{request.version.minor}"
            ),
            rows=rows,
        )
        return web.Response(text=page, content_type="text/html")

    async def _json(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "instance": self._name,
                "environment": self._environment,
                "method": request.method,
                "target": request.path_qs,
                "fields": _fields(request),
            }
        )

    async def _slow(self, request: web.Request) -> web.Response:
        try:
            seconds = min(max(float(request.query.get("seconds", "1")), 0.0), _LONGEST_WAIT)
        except ValueError:
            raise web.HTTPBadRequest(text="seconds: a number\n") from None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)
        return web.json_response({"instance": self._name, "waited": seconds})

    async def _upload(self, request: web.Request) -> web.Response:
        digest, count = hashlib.sha256(), 0
        with suppress(ConnectionError):  # the client may leave during its upload; the answer then goes nowhere
            async for piece in request.content.iter_any():
                digest.update(piece)
                count += len(piece)
        return web.json_response({"instance": self._name, "bytes": count, "sha256": digest.hexdigest()})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        number = 0
        with suppress(ConnectionError):
            while not self._ending.is_set():
                number += 1
                await response.write(f"id: {number}\ndata: {number} from {self._name}\n\n".encode())
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), _TICK)
        return response

    async def _echo(self, request: web.Request) -> web.WebSocketResponse:
        messages = web.WebSocketResponse()
        await messages.prepare(request)
        closer = asyncio.create_task(self._close_at_end(messages))
        async for message in messages:
            if message.type is WSMsgType.TEXT:
                await messages.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await messages.send_bytes(message.data)
        closer.cancel()
        return messages

    async def _close_at_end(self, messages: web.WebSocketResponse) -> None:
        await self._ending.wait()
        await messages.close()


def _fields(request: web.Request) -> list[tuple[str, str]]:
    """The header fields as received: order, letter case and repetition included."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]


def _bind(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sock.bind(("127.0.0.1", 0))
    return sock


async def _serve(port: int, name: str, environment: str) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if stat.S_ISFIFO(os.fstat(_STDIN).st_mode):
        loop.add_reader(_STDIN, lambda: ended.set() if not os.read(_STDIN, 1) else None)
    application = DemoApp(name, environment).application()
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSE_TIMEOUT)
    await runner.setup()
    sock = _bind(port)
    await web.SockSite(runner, sock).start()
    with suppress(OSError):  # the parent may be gone; stdin tells
        os.write(_STDOUT, f"listening on {sock.getsockname()[1]}\n".encode())
    await ended.wait()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description="One instance of the demo's app.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--name", required=True)
    parser.add_argument("--environment", default="production")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.port, arguments.name, arguments.environment))


if __name__ == "__main__":
    main()
