"""The network between the front door and an instance, with faults: each connection draws one when it is accepted.

It moves bytes and breaks off; it does not know HTTP. A reset is a real RST.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass

from tests.e2e.harness.instance import reserve

_PIECE = 16384
_HANG = 4.0  # seconds


@dataclass(frozen=True)
class Fault:
    """What befalls a connection: after `after` bytes of answers it is reset, ended (FIN) or hangs; each piece waits
    for up to `delay` seconds.
    """

    kind: str = "none"
    after: int = 0
    delay: float = 0.0


def draw(chance: random.Random) -> Fault:
    """A fault for one connection; most have none."""
    kind = chance.choices(
        ("none", "slow", "refuse", "reset", "end", "hang", "mute"), weights=(70, 10, 3, 6, 6, 2, 3), k=1
    )[0]
    after = 0 if kind == "mute" else chance.choice((1, 50, 400, 5000, 60000))
    return Fault(kind, after, chance.uniform(0.001, 0.03) if kind == "slow" else 0.0)


class Shim:
    """A port that leads to an instance's port. `down()` closes it and resets what is open; `up()` opens it again."""

    def __init__(self, target: int, chance: random.Random) -> None:
        self._target = target
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.calm = False  # no more faults
        self.faults = 0
        self._held = reserve()  # nobody else is given the port while it is down
        self.port: int = self._held.getsockname()[1]

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            _reset(writer)

    def release(self) -> None:
        """Give the port back."""
        self._held.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = Fault() if self.calm else draw(self._chance)
        self.faults += fault.kind not in ("none", "slow")
        self._open.add(writer)
        try:
            if fault.kind == "refuse":
                _reset(writer)
                return
            try:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
            except OSError:
                _reset(writer)
                return
            self._open.add(inner_writer)
            try:
                there = asyncio.ensure_future(_copy(reader, inner_writer, Fault(delay=fault.delay)))
                back = asyncio.ensure_future(_copy(inner_reader, writer, fault))
                await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                if fault.kind in ("reset", "mute") and back.done():
                    _reset(writer)
                for task in (there, back):
                    task.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
            finally:
                self._open.discard(inner_writer)
                inner_writer.close()
        finally:
            self._open.discard(writer)
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
    left = fault.after if fault.kind in ("reset", "end", "hang", "mute") else -1
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            if fault.delay:
                await asyncio.sleep(fault.delay)
            if 0 <= left <= len(data):
                writer.write(data[:left])
                await writer.drain()
                if fault.kind == "hang":
                    await asyncio.sleep(_HANG)
                return
            left -= len(data) if left > 0 else 0
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
