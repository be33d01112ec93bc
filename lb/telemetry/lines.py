"""Access-log lines: a finished exchange's facts in JSON or in the combined format. Pure; the compiled twin is
`lines.pyx`.

Every byte from a client is escaped, so that a line is one line and one JSON value whatever the client sent: a byte that
is not printable ASCII is written as its code point in Latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from lb.telemetry.record import Record

_Values = TypeVar("_Values", bound=tuple[bytes | int, ...])

_PLAIN = re.compile(rb"[ !#-\[\]-~]*").fullmatch
_JSON = [b"%c" % byte if 0x20 <= byte < 0x7F else b"\\u%04x" % byte for byte in range(256)]
_JSON[0x22], _JSON[0x5C] = b'\\"', b"\\\\"
_MOST = 1024  # cached parts of lines, each of at most so many bytes: 1 MB
_LONGEST = 512
_LINE = (
    b'{"time":"%b",%b,%b,"status":%d,"bytes_sent":%d,"bytes_received":%d,"duration":%.6f,'
    b'%b,"cause":%b,"request_id":%b,%b}\n'
)
# By the minor version of HTTP/1, or `HTTP2`; the last one is for what is no request.
_VERSIONS = (b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0")
_PROTOCOLS = (b'"HTTP/1.0"', b'"HTTP/1.1"', b'"HTTP/2"', b"null")
_COMBINED = [b"%c" % byte if _PLAIN(b"%c" % byte) else b"\\x%02x" % byte for byte in range(256)]


def json_line(record: Record, time: bytes) -> bytes:
    """One JSON object; `time` is RFC 3339 in UTC. Durations are in seconds."""
    identifier = record.request_id
    return _LINE % (
        time,
        _asking[record.client, record.method, record.host],
        _asked[record.target, record.minor if record.method else -1],
        record.status,
        record.sent,
        record.received,
        record.duration,
        _served[record.app, record.environment, record.instance],
        _why(record.cause, record.detail) if record.cause is not None else b"null",
        b'"%b"' % identifier if identifier.isalnum() else _as_json(identifier),
        _described[record.scheme, record.user_agent, record.referer],
    )


def combined_line(record: Record, time: bytes) -> bytes:
    """The combined log format; `time` in its form: 20/Nov/2026:23:11:00 +0000."""
    request = (
        b"%b %b %b" % (_combined(record.method), _combined(record.target), _VERSIONS[record.minor])
        if record.method
        else b"-"
    )
    return b'%b - - [%b] "%b" %d %d "%b" "%b"\n' % (
        record.client,
        time,
        request,
        record.status,
        record.sent,
        _combined(record.referer) or b"-",
        _combined(record.user_agent) or b"-",
    )


def _why(cause: str, detail: bytes) -> bytes:
    return b'"%b","detail":%b' % (cause.encode(), _as_json(detail)) if detail else b'"%b"' % cause.encode()


def _as_json(value: bytes) -> bytes:
    if not value:
        return b"null"
    if _PLAIN(value):
        return b'"%b"' % value
    return b'"%b"' % b"".join(map(_JSON.__getitem__, value))


class _Remembered(dict[_Values, bytes]):
    """Cached parts of lines, as JSON, by their values: most of a line was in earlier lines, too."""

    __slots__ = ("_write",)

    def __init__(self, write: Callable[[_Values], bytes]) -> None:
        self._write = write

    def __missing__(self, values: _Values) -> bytes:
        written = self._write(values)
        if len(written) <= _LONGEST:
            if len(self) == _MOST:
                self.clear()
            self[values] = written
        return written


def _write_asking(values: tuple[bytes, bytes, bytes]) -> bytes:
    return b'"client":%b,"method":%b,"host":%b' % tuple(map(_as_json, values))


def _write_asked(values: tuple[bytes, int]) -> bytes:
    target, minor = values
    return b'"target":%b,"protocol":%b' % (_as_json(target), _PROTOCOLS[minor])


def _write_served(values: tuple[bytes, bytes, bytes]) -> bytes:
    return b'"app":%b,"environment":%b,"instance":%b' % tuple(map(_as_json, values))


def _write_described(values: tuple[bytes, bytes, bytes]) -> bytes:
    return b'"scheme":%b,"user_agent":%b,"referer":%b' % tuple(map(_as_json, values))


_asking = _Remembered(_write_asking)
_asked = _Remembered(_write_asked)
_served = _Remembered(_write_served)
_described = _Remembered(_write_described)


def _combined(value: bytes) -> bytes:
    if _PLAIN(value):
        return value
    return b"".join(map(_COMBINED.__getitem__, value))
