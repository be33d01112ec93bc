"""Ask a shim over its socket, and know that it is the one that was meant.

Each request has a connection of its own: shims are few, and one that hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from pathlib import Path
from typing import Any

_PATIENCE = 5.0  # seconds for an answer that a shim gives at once
_PEER = struct.Struct("3i")
_LONGEST = 1 << 20  # bytes of an answer


class ShimGoneError(Exception):
    """There is no shim behind the socket, or it does not answer."""


class ShimClient:
    """The socket of one shim."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    async def ask(self, what: str, *, forever: bool = False, **more: Any) -> dict[str, Any]:
        """The reply to one request. Raises ShimGoneError; `forever` waits for as long as the shim lives."""
        try:
            async with asyncio.timeout(None if forever else _PATIENCE):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=_LONGEST)
                try:
                    writer.write(json.dumps({"v": 1, "do": what, **more}).encode() + b"\n")
                    line = await reader.readline()
                finally:
                    writer.close()
            reply = json.loads(line)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise ShimGoneError(str(error)) from error
        if not isinstance(reply, dict) or not reply.get("ok"):
            raise ShimGoneError(str(reply))
        return reply

    async def peer(self) -> int:
        """The pid of the process that listens there, as the kernel knows it; 0 if there is none."""
        try:
            async with asyncio.timeout(_PATIENCE):
                _, writer = await asyncio.open_unix_connection(self._path)
        except OSError:
            return 0
        try:
            sock = writer.get_extra_info("socket")
            return int(_PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[0])
        finally:
            writer.close()
