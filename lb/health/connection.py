"""A connection for one check: plain or TLS, with what has to come first on it.

Reaches an instance as requests do: over TLS where it is written so, after a PROXY header where instances expect one,
and at the other loopback address where `localhost` does not listen on the first. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from functools import lru_cache

from lb.routing.instance_tls import InstanceTls, TlsClient

Address = str | tuple[str, int]

_CHUNK = 16 << 10


@dataclass(frozen=True, slots=True)
class Reach:
    """How an instance is reached, besides its address. `greeting` comes first; `tls` says whom to trust, and
    `server_name` whose certificate is expected; `alternate` is another address that it may listen on.
    """

    greeting: bytes = b""
    tls: TlsClient | None = None
    server_name: str = ""
    alternate: tuple[int, Address] | None = None


PLAIN = Reach()


class CheckConnection:
    """A connected socket, which is closed by `close`. `connect` raises OSError, of which `ssl.SSLError` is one."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    async def connect(self, family: int, address: Address) -> None:
        """Connect, and make it ready for a request."""
        reach = self._reach
        try:
            self._sock = await self._connected(family, address)
        except OSError:
            if reach.alternate is None:
                raise
            self._sock = await self._or_raise(*reach.alternate)
        if reach.greeting:
            await self._loop.sock_sendall(self._sock, reach.greeting)
        if reach.tls is not None:
            side = InstanceTls(reach.tls, _context(reach.tls), reach.server_name)
            self._tls = side.wrap(self._incoming, self._outgoing)
            await self._shake_hands(self._tls)

    async def _connected(self, family: int, address: Address) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await self._loop.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _or_raise(self, family: int, address: Address) -> socket.socket:
        """The connection to the other address; the first failure stays the one that counts."""
        try:
            return await self._connected(family, address)
        except OSError as error:
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None

    async def _shake_hands(self, side: ssl.SSLObject) -> None:
        while True:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                await self._exchange()
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._loop.sock_sendall(self._socket(), self._outgoing.read())

    async def _exchange(self) -> None:
        await self._flush()
        data = await self._loop.sock_recv(self._socket(), _CHUNK)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _socket(self) -> socket.socket:
        if self._sock is None:
            raise OSError("not connected")
        return self._sock

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        if self._tls is None:
            await self._loop.sock_sendall(self._socket(), data)
            return
        self._tls.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """What has come; empty at the end."""
        if self._tls is None:
            return await self._loop.sock_recv(self._socket(), _CHUNK)
        while True:
            try:
                return self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._exchange()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def close(self) -> None:
        """Close it at once."""
        if self._sock is not None:
            self._sock.close()


@lru_cache(maxsize=64)
def _context(client: TlsClient) -> ssl.SSLContext:
    return client.context()
