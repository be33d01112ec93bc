"""What the fields of an HTTP/2 message are as the text of an HTTP/1 head, field by field as they are decoded.

Both protocols have one reader of heads, and so refuse the same things: here a start line is made of the pseudo-fields,
and what only HTTP/2 can get wrong is found (RFC 9113 8.2 and 8.3). The twin of `message_text.pxi`, which is a part of
the compiled `hpack`. This file does not know how fields are encoded, nor what a message's fields mean to a proxy.
"""

from __future__ import annotations

import re

from lb.errors import ProxyError
from lb.http.h2_errors import ENHANCE_YOUR_CALM, MalformedError, SessionError
from lb.http.head import Limits
from lb.http.hpack_tables import (
    AUTHORITY,
    BAD,
    BLANK,
    CONNECT_PARTS,
    COOKIE,
    DISCARDED,
    FINE,
    HOP,
    HOP_BY_HOP,
    HOST,
    HOSTS,
    IN_TRAILERS,
    LATE,
    LENGTH,
    METHOD,
    NAME,
    NAMES,
    NO_METHOD,
    NO_PATH,
    NO_SCHEME,
    NO_STATUS,
    NOT_A_METHOD,
    NOT_A_PATH,
    OTHER_HOST,
    OVERHEAD,
    PATH,
    PLAIN,
    PRIORITY,
    PROTOCOL,
    PROTOCOL_PARTS,
    SCHEME,
    STATUS,
    TE,
    TE_OTHER,
    TWICE,
    UNKNOWN,
    UNKNOWN_PSEUDO,
    VALUE,
    WRONG,
)

REQUEST, RESPONSE, TRAILERS, DISCARD = range(4)
"""What is made of a block."""

_is_name = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]++").fullmatch
_is_token = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++").fullmatch
_is_value = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+").fullmatch
_is_status = re.compile(rb"[1-5][0-9]{2}").fullmatch
_BLANKS = b" \t"


class DecodedField:
    """One field as a line of HTTP/1, and what is known of it; entries of the dynamic table are kept as this.

    `size` is what it counts in a table or a list, `kind` what its name means, `fault` what is wrong with its value.
    """

    __slots__ = ("fault", "kind", "line", "name", "size", "value")

    def __init__(self, name: bytes, value: bytes) -> None:
        self.name = name
        self.value = value
        self.line = name + b": " + value + b"\r\n"
        self.size = len(name) + len(value) + OVERHEAD
        self.kind = _kind_of(name)
        self.fault = FINE
        if not _is_value(value):
            self.fault = VALUE
        elif value and (value[0] in _BLANKS or value[-1] in _BLANKS):
            self.fault = BLANK


def _kind_of(name: bytes) -> int:
    kind = NAMES.get(name)
    if kind is not None:
        return kind
    if name[:1] == b":":
        return UNKNOWN
    return PLAIN if _is_name(name) else BAD


class MessageText:
    """One message while its block is decoded. `protocol`, `priority` and `te` are what its decoder tells of it."""

    __slots__ = (
        "_begun",
        "_count",
        "_crumbs",
        "_form",
        "_has_length",
        "_hosts",
        "_large",
        "_lines",
        "_most",
        "_most_fields",
        "_pseudo",
        "_size",
        "_wrong",
        "priority",
        "te",
    )

    def __init__(self, form: int, limits: Limits, most_fields: int) -> None:
        self._form = form
        self._most = limits.total
        self._most_fields = min(most_fields, limits.fields)
        self._size = self._count = self._hosts = 0
        self._large = self._has_length = False
        self._begun = form == TRAILERS
        self._wrong = DISCARDED if form == DISCARD else FINE
        self._pseudo: dict[int, bytes] = {}
        self._lines: list[bytes] = []
        self._crumbs: list[bytes] = []
        self.priority = b""
        self.te = False

    @property
    def scheme(self) -> bytes:
        return self._pseudo.get(SCHEME, b"")

    @property
    def protocol(self) -> bytes:
        return self._pseudo.get(PROTOCOL, b"")

    def add(self, field: DecodedField) -> None:
        """The next field. Raises SessionError if all of them are far too large to go on."""
        self._size += field.size
        self._count += 1
        if self._size > self._most or self._count > self._most_fields:
            self._large = True
            if self._size > 2 * self._most:
                raise SessionError(ENHANCE_YOUR_CALM, "the fields are more than twice as large as their limit")
        if self._wrong or self._large:
            return
        if field.kind == PLAIN and field.fault == FINE:
            if not self._begun:
                self._begin()
            if not self._wrong:
                self._lines.append(field.line)
        else:
            self._wrong = self._special(field)

    def _special(self, field: DecodedField) -> int:
        """Take a field that means something; returns what is wrong with it."""
        kind = field.kind
        if field.fault:
            return field.fault
        if kind <= STATUS or kind == UNKNOWN:
            return self._pseudo_field(kind, field.value)
        if kind == BAD:
            return NAME
        if kind == HOP:
            return HOP_BY_HOP
        if not self._begun:
            self._begin()
        if self._wrong:
            return self._wrong
        if self._form == REQUEST:
            return self._field_of_request(kind, field)
        self._lines.append(field.line)
        return FINE

    def _field_of_request(self, kind: int, field: DecodedField) -> int:
        if kind == COOKIE:
            self._crumbs.append(field.value)
            return FINE
        if kind == TE:
            self.te = True
            return FINE if field.value.lower() == b"trailers" else TE_OTHER
        if kind == HOST:
            return self._host(field)
        if kind == LENGTH:
            self._has_length = True
        elif kind == PRIORITY:
            self.priority = field.value
        self._lines.append(field.line)
        return FINE

    def _pseudo_field(self, kind: int, value: bytes) -> int:
        if self._form == TRAILERS:
            return IN_TRAILERS
        if self._begun:
            return LATE
        if kind == UNKNOWN or (kind == STATUS) != (self._form == RESPONSE):
            return UNKNOWN_PSEUDO
        if kind in self._pseudo:
            return TWICE
        self._pseudo[kind] = value
        return FINE

    def _host(self, field: DecodedField) -> int:
        """There is one Host at the end: that of :authority, if there is one (RFC 9113 8.3.1)."""
        if self._hosts:
            return HOSTS
        self._hosts = 1
        authority = self._pseudo.get(AUTHORITY)
        if authority is None:
            self._lines.append(field.line)
        elif authority.lower() != field.value.lower():
            return OTHER_HOST
        return FINE

    # The start line

    def _begin(self) -> None:
        """The pseudo-fields are over."""
        self._wrong = self._status_line() if self._form == RESPONSE else self._request_line()
        self._begun = not self._wrong

    def _status_line(self) -> int:
        status = self._pseudo.get(STATUS, b"")
        if not _is_status(status):
            return NO_STATUS
        self._lines.append(b"HTTP/1.1 " + status + b" \r\n")
        return FINE

    def _request_line(self) -> int:
        pseudo = self._pseudo
        method, target, authority = pseudo.get(METHOD), pseudo.get(PATH), pseudo.get(AUTHORITY)
        if method is None:
            return NO_METHOD
        if not _is_token(method):
            return NOT_A_METHOD
        if PROTOCOL in pseudo:
            if method != b"CONNECT" or authority is None or not _is_token(pseudo[PROTOCOL]):
                return PROTOCOL_PARTS
            method = b"GET"
        elif method == b"CONNECT":
            return self._connect_line(authority)
        if SCHEME not in pseudo:
            return NO_SCHEME
        if not target:
            return NO_PATH
        if target[:1] != b"/" and target != b"*":
            return NOT_A_PATH
        self._lines.append(method + b" " + target + b" HTTP/1.1\r\n")
        if authority is not None:
            self._lines.append(b"Host: " + authority + b"\r\n")
        return FINE

    def _connect_line(self, authority: bytes | None) -> int:
        if authority is None or PATH in self._pseudo or SCHEME in self._pseudo:
            return CONNECT_PARTS
        self._lines.append(b"CONNECT " + authority + b" HTTP/1.1\r\n")
        return FINE

    # The end

    def conclude(self) -> None:
        """All fields are read. Raises MalformedError and, for what is too large, ProxyError."""
        if not self._begun and not self._wrong:
            self._begin()
        if self._wrong and self._wrong != DISCARDED:
            raise MalformedError(WRONG[self._wrong])
        if self._large and self._form != DISCARD:
            raise ProxyError(
                "request_header_too_large" if self._form != RESPONSE else "http_response_header_section_size",
                f"over HTTP/2 the limits are {self._most} bytes (limits.header_total), with {OVERHEAD} more for each "
                f"field, and {self._most_fields} fields",
            )

    def request(self, ended: bool) -> bytes:
        """The head of the request; `ended`: no body follows."""
        lines = self._lines
        if self._crumbs:  # RFC 9113 8.2.3
            lines.append(b"cookie: " + b"; ".join(self._crumbs) + b"\r\n")
        protocol = self._pseudo.get(PROTOCOL)
        if protocol is not None:
            lines.append(b"Upgrade: " + protocol + b"\r\nConnection: Upgrade\r\n")
        elif not ended and not self._has_length:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def so_far(self) -> bytes:
        """What has been made of it."""
        return b"".join(self._lines)
