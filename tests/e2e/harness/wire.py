"""HTTP/1.1 messages read strictly from a socket, for both ends of the front door.

Written apart from the product on purpose: what is lenient there must not be lenient here. Anything that two readers
could understand in two ways raises Malformed. Knows nothing of processes, threads or TLS.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field

Fields = tuple[tuple[bytes, bytes], ...]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/(1\.[01])")
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(;[\t\x20-\x7e\x80-\xff]*)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")


class Malformed(Exception):  # noqa: N818  it is a finding about the other side, not a fault of this one
    """The other side sent bytes that are not one unambiguous HTTP/1.1 message."""


class Truncated(Exception):  # noqa: N818
    """The other side ended the stream (or reset it) in the middle of a message; `partial` is what had come of it."""

    def __init__(self, partial: bytes) -> None:
        super().__init__(f"the stream ended after {partial[-200:]!r}")
        self.partial = partial


class ByteStream:
    """A socket read through a buffer; every byte that ever came is kept in `record`, unless `keep` is false."""

    def __init__(self, sock: socket.socket, *, keep: bool = True) -> None:
        self._sock = sock
        self.keep = keep
        self._buffer = bytearray()
        self.record = bytearray()
        self.ended = False
        self.was_reset = False
        self.total = 0

    @property
    def pending(self) -> bytes:
        """What has been received and not been asked for yet."""
        return bytes(self._buffer)

    def fill(self, size: int = 65536) -> bool:
        """Receive once; False at the end of the stream."""
        if self.ended:
            return False
        try:
            data = self._sock.recv(size)
        except (ConnectionResetError, BrokenPipeError):
            self.was_reset = True
            data = b""
        if not data:
            self.ended = True
            return False
        self.total += len(data)
        self._buffer += data
        if self.keep:
            self.record += data
        return True

    def line(self) -> bytes:
        """The next line without its CRLF; a bare LF or CR in it raises Malformed."""
        while (end := self._buffer.find(b"\n")) < 0:
            if not self.fill():
                raise Truncated(bytes(self._buffer))
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise Malformed(f"line {line[:200]!r}")
        return line[:-2]

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self.fill(max(65536, min(size - len(self._buffer), 1 << 20))):
                raise Truncated(bytes(self._buffer))
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def some(self) -> bytes:
        """Whatever is there, after one receive if nothing is; empty at the end of the stream."""
        if not self._buffer:
            self.fill()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def rest(self) -> bytes:
        """Everything up to the end of the stream."""
        while self.fill():
            pass
        data = bytes(self._buffer)
        self._buffer.clear()
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a request and a response have in common."""

    version: bytes
    fields: Fields
    body: bytes = b""
    trailers: Fields = ()
    framing: str = "none"  # none, length, chunked, close

    def all(self, name: str) -> list[bytes]:
        wanted = name.lower().encode()
        return [value for key, value in self.fields if key.lower() == wanted]

    def one(self, name: str) -> bytes:
        """The only value of a field; AssertionError when it is missing or repeated."""
        values = self.all(name)
        assert len(values) == 1, f"{name} occurs {len(values)} times in {self.fields}"
        return values[0]

    def has(self, name: str) -> bool:
        return bool(self.all(name))

    @property
    def names(self) -> list[bytes]:
        return [key.lower() for key, _ in self.fields]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    method: bytes
    target: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    status: int
    reason: bytes
    interim: tuple[Response, ...] = field(default=())


def read_fields(stream: ByteStream) -> Fields:
    found: list[tuple[bytes, bytes]] = []
    while line := stream.line():
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Malformed(f"field line {line[:200]!r}")
        found.append((match[1], match[2]))
    return tuple(found)


def framing_of(fields: Fields, version: bytes) -> tuple[str, int]:
    """How a message is delimited as its fields say: ("chunked", 0), ("length", n) or ("none", 0)."""
    lengths = [value for key, value in fields if key.lower() == b"content-length"]
    codings = [value for key, value in fields if key.lower() == b"transfer-encoding"]
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != b"chunked" or version != b"1.1":
            raise Malformed(f"two ways to read the length: {codings} {lengths} in HTTP/{version.decode()}")
        return "chunked", 0
    if lengths:
        if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
            raise Malformed(f"Content-Length {lengths}")
        return "length", int(lengths[0])
    return "none", 0


def read_chunk(stream: ByteStream) -> bytes:
    """One chunk's data, empty for the last one (its trailers are still to be read)."""
    line = stream.line()
    match = _CHUNK_LINE.fullmatch(line)
    if match is None:
        raise Malformed(f"chunk size {line[:200]!r}")
    size = int(match[1], 16)
    if size == 0:
        return b""
    data = stream.exactly(size)
    if stream.exactly(2) != b"\r\n":
        raise Malformed("no CRLF behind a chunk")
    return data


def read_chunked(stream: ByteStream) -> tuple[bytes, Fields]:
    body = bytearray()
    while data := read_chunk(stream):
        body += data
    return bytes(body), read_fields(stream)


def read_request_head(stream: ByteStream) -> Request:
    line = stream.line()
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Malformed(f"request line {line[:200]!r}")
    fields = read_fields(stream)
    framing, _ = framing_of(fields, match[3])
    hosts = [value for key, value in fields if key.lower() == b"host"]
    if len(hosts) > 1 or (not hosts and match[3] == b"1.1"):
        raise Malformed(f"Host {hosts}")
    return Request(method=match[1], target=match[2], version=match[3], fields=fields, framing=framing)


def read_request_body(stream: ByteStream, head: Request) -> Request:
    framing, size = framing_of(head.fields, head.version)
    body, trailers = b"", ()  # type: bytes, Fields
    if framing == "chunked":
        body, trailers = read_chunked(stream)
    elif framing == "length":
        body = stream.exactly(size)
    return Request(
        method=head.method,
        target=head.target,
        version=head.version,
        fields=head.fields,
        body=body,
        trailers=trailers,
        framing=framing,
    )


def read_response_head(stream: ByteStream) -> Response:
    line = stream.line()
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Malformed(f"status line {line[:200]!r}")
    fields = read_fields(stream)
    framing, _ = framing_of(fields, match[1])
    return Response(version=match[1], status=int(match[2]), reason=match[3], fields=fields, framing=framing)


def read_response(stream: ByteStream, method: str = "GET") -> Response:
    """A whole final response with the interim ones before it; a 101 is final."""
    interim: list[Response] = []
    while (head := read_response_head(stream)).status < 200 and head.status != 101:
        interim.append(head)
    framing, size = framing_of(head.fields, head.version)
    body, trailers = b"", ()  # type: bytes, Fields
    if head.status in {101, 204}:
        if framing != "none":
            raise Malformed(f"a {head.status} with {framing}")
    elif method == "HEAD" or head.status == 304 or (method == "CONNECT" and head.status < 300):
        framing = "none"
    elif framing == "chunked":
        body, trailers = read_chunked(stream)
    elif framing == "length":
        body = stream.exactly(size)
    else:
        framing, body = "close", stream.rest()
        if stream.was_reset:
            raise Truncated(body)
    return Response(
        version=head.version,
        status=head.status,
        reason=head.reason,
        fields=head.fields,
        body=body,
        trailers=trailers,
        framing=framing,
        interim=tuple(interim),
    )
