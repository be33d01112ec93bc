"""Many open tunnels: an instance that agrees to every upgrade and echoes, and clients that hold one connection each.

One thread and one event loop a side, so that a thousand of them cost a test little.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self, cast

from tests.e2e.harness.client import message
from tests.e2e.harness.instance import reserve
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import PATIENCE

_AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
_ASK = message("GET /tunnel", "Connection: Upgrade", "Upgrade: echo")


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"\r\nupgrade:" not in head.lower():
                writer.write(ok())
                continue
            writer.write(_AGREED)
            while data := await reader.read(65536):
                writer.write(data)
            break
    writer.close()


@contextmanager
def echoing_instance() -> Iterator[str]:
    """Gives its address; plain requests get 200."""
    sock = reserve()
    address = f"127.0.0.1:{sock.getsockname()[1]}"
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_serve, sock=sock, backlog=1024))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(server.close)
        for task in asyncio.all_tasks(loop):
            loop.call_soon_threadsafe(task.cancel)
        loop.call_soon_threadsafe(loop.call_later, 0.2, loop.stop)
        thread.join(PATIENCE)
        loop.close()


class Tunnels:
    """So many tunnels through the front door at `port`, all open. Use it in a `with`."""

    def __init__(self, port: int, count: int) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(count)]
        for sock in self._sockets:
            sock.sendall(_ASK)
        for sock, head in self._answers(b"\r\n\r\n"):
            assert head.startswith(b"HTTP/1.1 101 "), (sock, head)

    def check(self, word: bytes) -> None:
        """AssertionError unless every one of them echoes it."""
        for number, sock in enumerate(self._sockets):
            sock.sendall(b"%d %b\n" % (number, word))
        answers = dict(self._answers(b"\n"))
        for number, sock in enumerate(self._sockets):
            assert answers[sock] == b"%d %b\n" % (number, word)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            sock.close()

    def _answers(self, end: bytes) -> Iterator[tuple[socket.socket, bytes]]:
        got = dict.fromkeys(self._sockets, b"")
        with selectors.DefaultSelector() as selector:
            for sock in self._sockets:
                selector.register(sock, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(PATIENCE)
                assert ready, f"{len(selector.get_map())} tunnels are silent"
                for key, _ in ready:
                    sock = cast("socket.socket", key.fileobj)
                    data = sock.recv(65536)
                    assert data, f"a tunnel was closed; it had said {got[sock]!r}"
                    got[sock] += data
                    if got[sock].endswith(end):
                        selector.unregister(sock)
                        yield sock, got[sock]
