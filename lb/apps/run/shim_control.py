"""The shim's socket: lines of JSON, one reply each. What a request means is the shim's business.

    {"v": 1, "do": "stat"}  →  {"v": 1, "ok": true, …}

The protocol grows only by addition: a key or a request that one side does not know is ignored or refused by name, so an
engine of another version than the shim can always adopt it. Part of the shim: standard library alone.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct

TYPE_CHECKING = False  # as typing's own, which would be an eighth of the shim's memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    AnswerTo = Callable[[dict[str, Any]], dict[str, Any] | None]

VERSION = 1
_LONGEST = 65536  # bytes of a request
_MOST = 32  # connections at a time
_PEER = struct.Struct("3i")  # pid, uid, gid


class ShimControl:
    """Listens at `path`. `answer` returns the reply, or None for a request that is answered by `tell` later."""

    __slots__ = ("_answer", "_buffers", "_listener", "_path", "_selector", "_waiting")

    def __init__(self, path: str, selector: selectors.BaseSelector, answer: AnswerTo) -> None:
        self._path = path
        self._selector = selector
        self._answer = answer
        self._buffers: dict[socket.socket, bytes] = {}
        self._waiting: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        os.chmod(path, 0o600)
        self._listener.listen(16)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self.accept)

    def accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        client.setblocking(False)
        if not _trusted(client) or len(self._buffers) >= _MOST:
            client.close()
            return
        self._buffers[client] = b""
        self._selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def tell(self, message: dict[str, Any]) -> None:
        """Answers those who wait, and leaves nothing open."""
        for client in self._waiting:
            _send(client, message)
        for client in list(self._buffers):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        try:
            os.unlink(self._path)
        except OSError:
            return

    def _read(self, client: socket.socket) -> None:
        try:
            data = client.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, rest = (self._buffers[client] + data).split(b"\n")
        if not data or len(rest) > _LONGEST or not all(self._serve(client, line) for line in lines):
            self._drop(client)
            return
        self._buffers[client] = rest

    def _serve(self, client: socket.socket, line: bytes) -> bool:
        """Whether the connection is worth keeping."""
        try:
            request = json.loads(line)
            reply = self._answer(request)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            return _send(client, {"v": VERSION, "ok": False, "error": f"not a request: {error}"})
        if reply is None:
            self._waiting.append(client)
            return True
        return _send(client, {"v": VERSION, **reply})

    def _drop(self, client: socket.socket) -> None:
        if client in self._waiting:
            self._waiting.remove(client)
        self._selector.unregister(client)
        self._buffers.pop(client, None)
        client.close()


def _trusted(client: socket.socket) -> bool:
    """The same user, or root: another one cannot have passed the directory, but no door has one lock only."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return _PEER.unpack(peer)[1] in (0, os.getuid())


def _send(client: socket.socket, message: dict[str, Any]) -> bool:
    try:
        data = json.dumps(message).encode() + b"\n"
        return client.send(data) == len(data)
    except OSError:
        return False
