"""The PROXY protocol, versions 1 and 2: what a proxy says about a connection before anything else goes over it.

Reads and writes headers; a header that is not exactly as the specification has it is refused, since a wrong guess would
take a client's bytes for it. TLVs are skipped. Knows no socket, nor who may be believed.
"""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass

LONGEST = 4096
"""Bytes of the longest header that is accepted, TLVs included."""

_FIRST_LINE = b"PROXY "
_LONGEST_LINE = 107  # bytes of a header of version 1, with its line end
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = 16  # bytes of a header of version 2 before the addresses
_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the command
_STREAM = 1
_FAMILIES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}  # family → and bytes of an address
_UNIX, _UNIX_ADDRESSES = 3, 216
_MAPPED = b"::ffff:"
_LINE = re.compile(rb"PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) ([0-9]{1,5}) ([0-9]{1,5})")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Both ends of a client's connection: where it came from, and where it went. Addresses are text without brackets,
    an IPv4 address never in the form of an IPv6 one.
    """

    client: bytes
    client_port: int
    server: bytes
    server_port: int


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header of `size` bytes. `endpoints` is None for a connection of the proxy's own, such as a health check, and
    where it does not say: then the connection's real ends count.
    """

    size: int
    endpoints: Endpoints | None


class ProxyHeaderError(ValueError):
    """What came is not a header; the text says why."""


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with; None while there is less than all of it. Raises ProxyHeaderError."""
    if data[:1] == _FIRST_LINE[:1]:
        return _read_line(data)
    if not (data.startswith(_SIGNATURE) or _SIGNATURE.startswith(data)):
        raise ProxyHeaderError("there is no PROXY header")
    return _read_binary(data)


def _read_line(data: bytes) -> ProxyHeader | None:
    if not _FIRST_LINE.startswith(data[: len(_FIRST_LINE)]):
        raise ProxyHeaderError("there is no PROXY header")
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE or b"\n" in data:
            raise ProxyHeaderError("the PROXY header has no line end")
        return None
    line = data[:end]
    if _UNKNOWN.fullmatch(line) is not None:
        return ProxyHeader(end + 2, None)
    found = _LINE.fullmatch(line)
    if found is None:
        raise ProxyHeaderError("the PROXY header is malformed")
    family = socket.AF_INET if found[1] == b"TCP4" else socket.AF_INET6
    client, server = _address(family, found[2]), _address(family, found[3])
    ports = int(found[4]), int(found[5])
    if max(ports) > _LAST_PORT:
        raise ProxyHeaderError("the PROXY header has an invalid port")
    return ProxyHeader(end + 2, Endpoints(client, ports[0], server, ports[1]))


def _address(family: int, text: bytes) -> bytes:
    """The address in its shortest form."""
    try:
        packed = socket.inet_pton(family, text.decode())
    except OSError:
        raise ProxyHeaderError("the PROXY header has an invalid address") from None
    return _text(family, packed)


def _text(family: int, packed: bytes) -> bytes:
    text = socket.inet_ntop(family, packed).encode()
    return text[len(_MAPPED) :] if text.startswith(_MAPPED) and b"." in text else text


def _read_binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED:
        return None
    command, kind, length = struct.unpack_from(">BBH", data, len(_SIGNATURE))
    size = _FIXED + length
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError("the PROXY header has an unknown version or command")
    if size > LONGEST:
        raise ProxyHeaderError("the PROXY header is too long")
    if len(data) < size:
        return None
    if command == _LOCAL:
        return ProxyHeader(size, None)
    return ProxyHeader(size, _endpoints(kind >> 4, kind & 15, data[_FIXED:size]))


def _endpoints(family: int, transport: int, block: bytes) -> Endpoints | None:
    """The addresses of a header of version 2; None if they are not of the internet."""
    if family == 0 or transport == 0:
        return None
    if transport != _STREAM:
        raise ProxyHeaderError("the PROXY header is about another transport than TCP")
    if family == _UNIX and len(block) >= _UNIX_ADDRESSES:
        return None
    number, width = _FAMILIES.get(family, (0, 0))
    if not width or len(block) < 2 * width + 4:
        raise ProxyHeaderError("the PROXY header has no whole addresses")
    client_port, server_port = struct.unpack_from(">HH", block, 2 * width)
    client, server = _text(number, block[:width]), _text(number, block[width : 2 * width])
    return Endpoints(client, client_port, server, server_port)


def proxy_header(version: int, endpoints: Endpoints | None) -> bytes:
    """The header of this version for a client's connection; None for one of our own, such as a health check."""
    if version == 1:
        return _line_of(endpoints)
    if endpoints is None:
        return _SIGNATURE + struct.pack(">BBH", _LOCAL, 0, 0)
    client, server = _alike(endpoints.client, endpoints.server)
    family, number = (2, socket.AF_INET6) if b":" in client else (1, socket.AF_INET)
    block = socket.inet_pton(number, client.decode()) + socket.inet_pton(number, server.decode())
    block += struct.pack(">HH", endpoints.client_port, endpoints.server_port)
    return _SIGNATURE + struct.pack(">BBH", _PROXY, family << 4 | _STREAM, len(block)) + block


def _line_of(endpoints: Endpoints | None) -> bytes:
    if endpoints is None:
        return b"PROXY UNKNOWN\r\n"
    client, server = _alike(endpoints.client, endpoints.server)
    kind = b"TCP6" if b":" in client else b"TCP4"
    return b"PROXY %b %b %b %d %d\r\n" % (kind, client, server, endpoints.client_port, endpoints.server_port)


def _alike(client: bytes, server: bytes) -> tuple[bytes, bytes]:
    """Both addresses in one family: a header has room for one only."""
    if b":" in client and b":" not in server:
        return client, _MAPPED + server
    if b":" in server and b":" not in client:
        return _MAPPED + client, server
    return client, server
