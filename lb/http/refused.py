"""What is known of a request that was refused before it was read whole: for the reply and the log.

A head that is too long, broken or late has often told its method, its target and its host by then. Nothing is decided
by what is found here. It is read leniently, as far as it came, and cut; values are taken of four fields only, and the
reply names the field that was too long, never its value.

It also has the text for every limit on a request's size: the figure, and the configuration key that sets it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lb.errors import ProxyError
from lb.http.head import Limits, field_name

_LONGEST = 1024  # bytes kept of a value: a log line is no place for eight thousand
_MOST_LINES = 1000  # lines that are searched
_WANTED = frozenset((b"host", b"accept", b"user-agent", b"referer"))

_method = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}").fullmatch
_name = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}").fullmatch
_host = re.compile(rb"[\w.:\[\]-]{1,261}", re.ASCII).fullmatch


class Refused:
    """What arrived of a request; empty where it did not arrive, or is ambiguous."""

    __slots__ = ("accept", "host", "method", "referer", "target", "user_agent")

    def __init__(self, data: bytes) -> None:
        """`data` is what has arrived of its head."""
        first, *lines = _lines(data, _MOST_LINES + 1)
        if lines and (len(lines) > _MOST_LINES or b"\r\n\r\n" not in data):
            lines.pop()  # it may be incomplete, or hold all the others
        method, _, rest = first.partition(b" ")
        known = _method(method) is not None
        self.method = method if known else b""
        self.target = rest.partition(b" ")[0][:_LONGEST] if known else b""
        found: dict[bytes, list[bytes]] = {}
        for line in lines:
            name = field_name(line)
            if name in _WANTED:
                found.setdefault(name, []).append(line[len(name) + 1 :].strip(b" \t")[:_LONGEST])
        hosts = found.get(b"host", [])
        self.host = hosts[0] if len(hosts) == 1 and _host(hosts[0]) else b""
        self.accept, self.user_agent, self.referer = (
            found.get(name, [b""])[0] for name in (b"accept", b"user-agent", b"referer")
        )


def head_too_large(code: str, data: bytes, limits: Limits) -> str:
    """Which limit a head that begins with `data` exceeded, if it was refused with this code; "" for other codes."""
    if code == "request_line_too_long":
        return f"the limit is {limits.line} bytes (limits.header_line)"
    if code != "request_header_too_large":
        return ""
    lines = _lines(data, limits.fields + 1)[1:]
    for line in lines[: limits.fields]:
        if len(line) > limits.line:
            name, colon, _ = line.partition(b":")
            field = f"the field {name.decode()}" if colon and _name(name) else "a field line"
            return f"{field} is longer than {limits.line} bytes (limits.header_line)"
    if len(lines) > limits.fields:
        return f"there are more than {limits.fields} fields (limits.header_fields)"
    return f"the head is longer than {limits.total} bytes (limits.header_total)"


_OWN_KEYS = {
    "connection_timeout": "timeouts.connect",
    "http_response_timeout": "timeouts.response",
    "connection_read_timeout": "timeouts.read",
    "connection_write_timeout": "timeouts.read",
}


def explained(error: ProxyError, limits: Limits, body: int, keys: Mapping[str, str]) -> str:
    """The error's detail; for an exceeded limit, which one it is, and its key. `body` is the limit on the request's
    body; `keys` has the keys of the route's own limits in place of the file's.
    """
    detail = error.detail
    match error.cause.code:
        case "request_body_too_large":
            return f"the limit is {body} bytes ({keys.get('limits.body', 'limits.body')})"
        case code if not detail and _OWN_KEYS.get(code) in keys:
            return f"the limit is {keys[_OWN_KEYS[code]]}"
        case "request_header_too_large" if "(limits." not in detail:
            return (
                f"trailers may have at most {limits.total} bytes (limits.header_total), {limits.fields} fields "
                f"(limits.header_fields) and lines of {limits.line} bytes (limits.header_line)"
            )
        case "http_response_header_section_size":
            return (
                f"the limits are {limits.total} bytes (limits.header_total), {limits.fields} fields "
                f"(limits.header_fields) and a status line of {limits.line} bytes (limits.header_line)"
            )
    return detail


def _lines(data: bytes, most: int) -> list[bytes]:
    """The lines of a head as far as it came, without the empty ones before it and what follows it; all after the start
    line and `most - 1` others are one.
    """
    return data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].split(b"\r\n", most)
