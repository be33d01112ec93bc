"""Access-log lines: a finished exchange's facts in JSON or in the combined format. Pure; the compiled twin is
`lines.pyx`.

Every byte that a client chose is escaped, so that a line is one line and one JSON value whatever it sent: what is not
printable ASCII is written as the code point of its byte, as if it were Latin-1.
"""

from __future__ import annotations

import re

from lb.telemetry.record import Record

_PLAIN = re.compile(rb"[ !#-\[\]-~]*").fullmatch
_JSON = {byte: b"\\u%04x" % byte for byte in [*range(0x20), *range(0x7F, 0x100)]} | {0x22: b'\\"', 0x5C: b"\\\\"}
_MOST = 1024  # values that are remembered, of at most so many bytes: half a MB
_LONGEST = 200
_COMBINED = {byte: b"\\x%02x" % byte for byte in [*range(0x20), *range(0x7F, 0x100), 0x22, 0x5C]}


def json_line(record: Record, time: bytes) -> bytes:
    """One JSON object; `time` is RFC 3339 in UTC. Durations are in seconds."""
    json = _json
    return (
        b'{"time":"%b","client":%b,"method":%b,"host":%b,"target":%b,"protocol":%b,"status":%d,"bytes_sent":%d,"bytes_received":%d,'
        b'"duration":%.6f,"app":%b,"environment":%b,"instance":%b,"cause":%b,"request_id":%b,"scheme":%b,"user_agent":%b,"referer":%b}\n'
    ) % (
        time,
        json[record.client],
        json[record.method],
        json[record.host],
        json[record.target],
        b'"HTTP/1.%d"' % record.minor if record.method else b"null",
        record.status,
        record.sent,
        record.received,
        record.duration,
        json[record.app],
        json[record.environment],
        json[record.instance],
        b'"%b"' % record.cause.encode() if record.cause is not None else b"null",
        _as_json(record.request_id),
        json[record.scheme],
        json[record.user_agent],
        json[record.referer],
    )


def combined_line(record: Record, time: bytes) -> bytes:
    """The combined log format; `time` is as in it: 20/Nov/2026:23:11:00 +0000."""
    request = (
        b"%b %b HTTP/1.%d" % (_combined(record.method), _combined(record.target), record.minor)
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


def _as_json(value: bytes) -> bytes:
    if not value:
        return b"null"
    if _PLAIN(value):
        return b'"%b"' % value
    return b'"%b"' % b"".join(_JSON.get(byte) or bytes((byte,)) for byte in value)


class _Remembered(dict[bytes, bytes]):
    """Values as JSON. Most of a line is in the lines before it, too: to look it up makes a line cost 4 µs instead of
    11.
    """

    def __missing__(self, value: bytes) -> bytes:
        written = _as_json(value)
        if len(value) <= _LONGEST:
            if len(self) == _MOST:
                self.clear()
            self[value] = written
        return written


_json = _Remembered()


def _combined(value: bytes) -> bytes:
    if _PLAIN(value):
        return value
    return b"".join(_COMBINED.get(byte) or bytes((byte,)) for byte in value)
