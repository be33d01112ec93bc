"""A raw client: bytes out as told, strict responses in. Knows sockets and TLS, nothing of the front door's process."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from tests.e2e.harness.waiting import PATIENCE
from tests.e2e.harness.wire import ByteStream, Response, Truncated, read_response, read_response_head

Address = tuple[str, int]
HOST = "shop.example.com"


def message(first_line: str, *lines: str | bytes, body: bytes = b"", host: str | None = HOST) -> bytes:
    """A request's bytes: the first line with HTTP/1.1 added where it names no version, Host, the lines as they are."""
    start = first_line if " HTTP/" in first_line else f"{first_line} HTTP/1.1"
    head = [start.encode("latin-1")]
    if host is not None:
        head.append(b"Host: " + host.encode("latin-1"))
    head += [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def get(target: str = "/", *lines: str | bytes, host: str | None = HOST) -> bytes:
    return message(f"GET {target}", *lines, host=host)


def post(target: str, body: bytes, *lines: str | bytes, host: str | None = HOST) -> bytes:
    return message(f"POST {target}", f"Content-Length: {len(body)}", *lines, body=body, host=host)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}".encode() + b"\r\n" + data + b"\r\n"


def chunked(*pieces: bytes, trailers: Iterable[str] = ()) -> bytes:
    """The pieces as a chunked body, last chunk and trailers included."""
    return (
        b"".join(chunk(piece) for piece in pieces) + b"0\r\n" + "".join(f"{t}\r\n" for t in trailers).encode() + b"\r\n"
    )


class Client:
    """One connection. Use it in a `with`; every wait in it is bounded."""

    def __init__(
        self,
        address: Address | str,
        *,
        tls: ssl.SSLContext | None = None,
        name: str | None = None,
        session: ssl.SSLSession | None = None,
        receive_buffer: int = 0,
    ) -> None:
        """Connect; `name` is the SNI (None sends none), `receive_buffer` bounds what the kernel takes in, in bytes."""
        if isinstance(address, str):
            raw = socket.socket(socket.AF_UNIX)
        else:
            raw = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        try:
            raw.settimeout(PATIENCE)
            if receive_buffer:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            raw.connect(address)
            if not isinstance(address, str):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = tls.wrap_socket(raw, server_hostname=name, session=session) if tls else raw
        except BaseException:
            raw.close()
            raise
        self.stream = ByteStream(self.sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Our own port, as the front door sees it."""
        port: int = self.sock.getsockname()[1]
        return port

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_quietly(self, data: bytes) -> None:
        """Send what the other side takes: it may refuse and close before the end."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.sock.sendall(data)

    def send_bytewise(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for index in range(len(data)):
                self.sock.sendall(data[index : index + 1])

    def send_split(self, data: bytes, seed: int, pieces: int = 7) -> None:
        """Send in pieces cut at random; the same seed cuts at the same places."""
        cuts = sorted(random.Random(seed).randrange(len(data) + 1) for _ in range(pieces - 1))
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                self.sock.sendall(data[start:end])

    def response(self, method: str = "GET") -> Response:
        return read_response(self.stream, method)

    def head(self) -> Response:
        """The head of the next response, interim ones included; its body stays in the stream."""
        return read_response_head(self.stream)

    def ask(self, data: bytes) -> Response:
        """Send one request and read its response."""
        self.send(data)
        return self.response(data.split(b" ", 1)[0].decode("latin-1"))

    def rest(self) -> bytes:
        """Everything until the other side closes or resets."""
        return self.stream.rest()

    def responses(self) -> list[Response]:
        """All responses until the other side closes; a piece of one at the end raises Truncated."""
        found = []
        while self.stream.pending or self.stream.fill():
            found.append(self.response())
        return found

    def is_open(self) -> bool:
        """True when the connection still answers nothing and has no end: looks without waiting."""
        self.sock.settimeout(0)
        try:
            return self.stream.fill()
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        finally:
            self.sock.settimeout(PATIENCE)

    def send_as(self, way: str, data: bytes) -> None:
        """Send "whole", "bytewise" or "split"; the other side may close before the end."""
        if way == "bytewise":
            self.send_bytewise(data)
        elif way == "split":
            self.send_split(data, seed=len(data))
        else:
            self.send_quietly(data)

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


__all__ = ["HOST", "Address", "Client", "Response", "Truncated", "chunk", "chunked", "get", "message", "post"]
