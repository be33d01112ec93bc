"""Encodes the lines of HTTP/1 heads as header blocks (HPACK, RFC 7541). The compiled twin is `hpack_encoder.pyx`.

Names of the static table go out as numbers, all else as literals that no table keeps: an answer costs some sixty bytes
more than with a dynamic table, and no memory per connection on either side. Names become lower-case, blanks around
values are dropped (RFC 9113 8.2.1), and so are the fields that belong to one connection (8.2.2). The first block of a
connection says that there is no table, so no limit of the peer's can be exceeded. This file knows no frames.
"""

from __future__ import annotations

from lb.http.hpack_tables import HOP, NAMES, SECRET, STATIC

NO_TABLE = b"\x20"
"""The dynamic table has size 0: to begin a connection's first block with."""

_PAIRS = {field: index for index, field in reversed([*enumerate(STATIC, 1)])}
_NAMES = {name: index for index, (name, _) in reversed([*enumerate(STATIC, 1)])}
_DROPPED = frozenset(name for name, kind in NAMES.items() if kind == HOP)
_NOT_IN_REQUESTS = _DROPPED | {b"host", b"te"}  # :authority says the one, `more` the other
_NEVER_KEPT = 0x10


def encode_response(lines: bytes, more: bytes) -> bytes:
    """A response: its status line and field lines, and more field lines."""
    return _pseudo(b":status", lines[9:12]) + _fields(lines, _DROPPED) + encode_fields(more)


def encode_request(head: bytes, scheme: bytes, more: bytes) -> bytes:
    """A request: its request line and field lines, and more field lines. Host becomes :authority."""
    method, target, _ = head[: head.find(b"\r\n")].split(b" ")
    block = _pseudo(b":method", method) + _pseudo(b":scheme", scheme) + _pseudo(b":path", target)
    host = _host(head)
    if host:
        block += _pseudo(b":authority", host)
    return block + _fields(head, _NOT_IN_REQUESTS) + encode_fields(more)


def encode_fields(lines: bytes) -> bytes:
    """Field lines, each with its CR LF."""
    return b"".join(_encode(line, _DROPPED) for line in lines.split(b"\r\n"))


def _fields(head: bytes, dropped: frozenset[bytes]) -> bytes:
    """The field lines of a head, after its start line."""
    return b"".join(_encode(line, dropped) for line in head.split(b"\r\n")[1:])


def _encode(line: bytes, dropped: frozenset[bytes]) -> bytes:
    name, colon, value = line.partition(b":")
    name = name.lower()
    if not colon or name in dropped:
        return b""
    return _literal(name, value.strip(b" \t"))


def _literal(name: bytes, value: bytes) -> bytes:
    mark = _NEVER_KEPT if name in SECRET else 0
    index = _NAMES.get(name)
    start = bytes((mark,)) + _string(name) if index is None else _integer(index, 4, mark)
    return start + _string(value)


def _pseudo(name: bytes, value: bytes) -> bytes:
    index = _PAIRS.get((name, value))
    return _literal(name, value) if index is None else bytes((0x80 | index,))


def _host(head: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        if line[:5].lower() == b"host:":
            return line[5:].strip(b" \t")
    return b""


def _string(text: bytes) -> bytes:
    return _integer(len(text), 7, 0) + text


def _integer(value: int, prefix: int, mark: int) -> bytes:
    most = (1 << prefix) - 1
    if value < most:
        return bytes((mark | value,))
    coded = [mark | most]
    value -= most
    while value >= 0x80:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)
