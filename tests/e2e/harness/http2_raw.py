"""HTTP/2 in raw frames: a client that sends what no library would, and says which frames came back.

`frame` and the names after it make bytes; `RawHttp2` is one connection. It knows frames and nothing of messages: heads
stay blocks, except for their status.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import hpack

from tests.e2e.harness.client import HOST, Address, Client

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
WHOLE = END_STREAM | END_HEADERS
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Fields = list[tuple[str, str]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def setting(key: int, value: int) -> bytes:
    return key.to_bytes(2, "big") + number(value)


def block(fields: Fields) -> bytes:
    """These fields, encoded without reference to any block before."""
    return hpack.Encoder().encode(fields)


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def value(self) -> int:
        """The code of RST_STREAM and GOAWAY, the increment of WINDOW_UPDATE."""
        at = 4 if self.kind == GOAWAY else 0
        return int.from_bytes(self.payload[at : at + 4], "big")

    @property
    def ends(self) -> bool:
        return self.kind in (DATA, HEADERS) and self.flags & END_STREAM != 0


class RawHttp2:
    """One connection, after its preface and empty SETTINGS. `came` are all frames so far, `closed` says that no more
    will; every wait is bounded by the socket's timeout.
    """

    def __init__(self, address: Address, *, tls: ssl.SSLContext | None = None, greet: bool = True) -> None:
        self._client = Client(address, tls=tls, name=HOST)
        self._sock = self._client.sock
        self._rest = b""
        self._decoder = hpack.Decoder()
        self.came: list[Frame] = []
        self.closed = False
        self._seen = 0  # frames that were looked at
        if greet:
            self.send(PREFACE + frame(SETTINGS, 0, 0))
            self.wait(lambda got: got.kind == SETTINGS and got.flags & ACK != 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, data: bytes) -> None:
        """Send bytes; the other side may have closed."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self._sock.sendall(data)

    def wait(self, condition: Callable[[Frame], bool]) -> Frame:
        """The first frame, after the one that was waited for last, for which this is true; AssertionError if the
        connection ends before.
        """
        while True:
            while self._seen < len(self.came):
                self._seen += 1
                if condition(self.came[self._seen - 1]):
                    return self.came[self._seen - 1]
            assert not self.closed, f"the connection ended after {self.came}"
            self._receive()

    def wait_for_the_end(self) -> None:
        while not self.closed:
            self._receive()

    def status(self, head: Frame) -> int:
        """The status in a head; to be asked of every head, in their order."""
        return int(dict(self._decoder.decode(head.payload, raw=True))[b":status"])

    def _receive(self) -> None:
        try:
            data = self._sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        self.closed = not data
        self._rest += data
        while len(self._rest) >= 9 and len(self._rest) >= (size := 9 + int.from_bytes(self._rest[:3], "big")):
            head, payload = self._rest[:9], self._rest[9:size]
            self.came.append(Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload))
            self._rest = self._rest[size:]
