"""A child's end of the line to the supervisor: one socket pair a child, lines of text in either direction.

What goes over it now is one line, READY. What matters as much is its end: when the supervisor dies, however it dies,
the child reads end-of-file at once, without asking anybody in intervals whether its parent still lives.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

READY = b"ready\n"
_CHUNK = 4096


class Channel:
    """`on_end` is called once, when the supervisor is gone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, end: socket.socket, on_end: Callable[[], None]) -> None:
        self._loop = loop
        self._end = end
        self._on_end = on_end
        end.setblocking(False)
        loop.add_reader(end.fileno(), self._readable)

    def say_ready(self) -> None:
        try:
            self._end.send(READY)
        except OSError:
            return  # the supervisor is gone; the reader sees that too

    def close(self) -> None:
        self._loop.remove_reader(self._end.fileno())
        self._end.close()

    def _readable(self) -> None:
        try:
            data = self._end.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._end.fileno())
            self._on_end()
