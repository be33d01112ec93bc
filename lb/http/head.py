"""What a message's head says, once it has been read: the result of `scan`, and the input of every decision.

A head keeps the bytes that are forwarded unchanged (`kept`: the start line and the fields that are not ours to replace)
and the few values that decide something. Values that only some exchanges need are positions within `kept`, not objects.
This file knows nothing of how heads are read or where they go. Plain Python; `head.pxd` gives it types when it is
compiled.
"""

from __future__ import annotations

import re

from lb.errors import ProxyError

_authority = re.compile(rb"(?:\[[-._:0-9A-Za-z]{2,}\]|[-._0-9A-Za-z]+)(?::([0-9]{0,18}))?").fullmatch
_is_field_line = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+").fullmatch
_LAST_PORT = 65535
_DEFAULT_PORTS = {b"http": b"80", b"https": b"443"}  # RFC 9110 4.2: given, missing and empty are the same
_LONGEST_LIST = 8192  # bytes of a list on several lines: a longer one is ignored
_MOST_NOMINATED = 256  # options of Connection if some of them name fields

# Fields that Connection may not remove (H4): framing, authority, credentials, and what we say about the client.
_PROTECTED = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"x-real-ip",
        b"x-request-id",
        b"forwarded",
        b"via",
        b"expect",
        b"connection",
    )
)

# Names that an app could confuse with ours if it treats "_" and "-" alike, as CGI and WSGI do (H3, attack
# CVE-2024-45614).
_OURS = _PROTECTED | {
    b"client-cert",
    b"client-cert-chain",
    b"keep-alive",
    b"proxy",
    b"proxy-connection",
    b"te",
    b"upgrade",
}

# RFC 9110 6.5.1: fields that frame, route, authenticate or describe the message must not come after it.
_NOT_IN_TRAILERS = _OURS | {
    b"age",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"date",
    b"expires",
    b"location",
    b"max-forwards",
    b"pragma",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"range",
    b"retry-after",
    b"trailer",
    b"vary",
    b"warning",
    b"www-authenticate",
}


class Limits:
    """Bounds on a head (L1): bytes per line, bytes in all, number of fields."""

    __slots__ = ("fields", "line", "total")

    def __init__(self, line: int = 8192, total: int = 65536, fields: int = 1000) -> None:
        self.line = line
        self.total = total
        self.fields = fields


class RequestHead:
    """A request's start line and fields.

    `length` is the head's size on the wire; `body_length` is -1 without a Content-Length; `passes` counts the Via
    entries of this program; `odd_path` says that the spelling of the path needs a closer look (percent, backslash,
    double slash, slash and dot). `accept_again` and `encoding_again` say that Accept and Accept-Encoding have several
    lines; `tagged` that a condition names an entity tag of ours (see `etags`).
    """

    __slots__ = (
        "accept_again",
        "accept_at",
        "accept_size",
        "agent_at",
        "agent_size",
        "body_length",
        "chunked",
        "encoding_again",
        "encoding_at",
        "encoding_size",
        "expect",
        "forwarded_for",
        "forwarded_proto",
        "host",
        "keep_alive",
        "kept",
        "length",
        "method",
        "minor",
        "odd_path",
        "passes",
        "ranged",
        "referer_at",
        "referer_size",
        "request_id",
        "tagged",
        "target",
        "upgrade",
    )

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.host = b""
        self.kept = b""
        self.upgrade: bytes | None = None
        self.forwarded_for: bytes | None = None
        self.forwarded_proto: bytes | None = None
        self.request_id: bytes | None = None
        self.length = 0
        self.body_length = -1
        self.passes = 0
        self.minor = 1
        self.chunked = False
        self.keep_alive = True
        self.expect = False
        self.ranged = False
        self.odd_path = False
        self.accept_again = self.encoding_again = self.tagged = False
        self.accept_at = self.accept_size = 0
        self.encoding_at = self.encoding_size = 0
        self.agent_at = self.agent_size = 0
        self.referer_at = self.referer_size = 0

    def accept(self) -> bytes:
        if self.accept_again:
            return list_value(self.kept, b"accept")
        kept = self.kept
        return kept[self.accept_at : self.accept_at + self.accept_size]

    def accept_encoding(self) -> bytes:
        if self.encoding_again:
            return list_value(self.kept, b"accept-encoding")
        kept = self.kept
        return kept[self.encoding_at : self.encoding_at + self.encoding_size]

    def user_agent(self) -> bytes:
        kept = self.kept
        return kept[self.agent_at : self.agent_at + self.agent_size]

    def referer(self) -> bytes:
        kept = self.kept
        return kept[self.referer_at : self.referer_at + self.referer_size]


class ResponseHead:
    """A response's status line and fields.

    `keep_alive_for` is the `timeout=` of the instance's `Keep-Alive`, in seconds, or -1; `encoded` and `ranged` say
    that the body is already encoded, or is a part of one.
    """

    __slots__ = (
        "body_length",
        "chunked",
        "dated",
        "encoded",
        "keep_alive",
        "keep_alive_for",
        "kept",
        "length",
        "minor",
        "no_transform",
        "ranged",
        "status",
        "type_at",
        "type_size",
        "upgrade",
    )

    def __init__(self) -> None:
        self.kept = b""
        self.upgrade: bytes | None = None
        self.status = 0
        self.minor = 1
        self.length = 0
        self.body_length = -1
        self.keep_alive_for = -1
        self.chunked = False
        self.keep_alive = True
        self.encoded = False
        self.no_transform = False
        self.ranged = False
        self.dated = False
        self.type_at = self.type_size = 0

    def content_type(self) -> bytes:
        kept = self.kept
        return kept[self.type_at : self.type_at + self.type_size]


def is_disguised(name: bytes) -> bool:
    """Whether a field name with underscores equals one of ours to an app that reads `_` as `-`."""
    plain = name.lower().replace(b"_", b"-")
    return plain in _OURS or plain.startswith(b"x-forwarded")


def field_name(line: bytes) -> bytes:
    """The lower-case name of a field line."""
    return line.partition(b":")[0].lower()


def list_value(kept: bytes, name: bytes) -> bytes:
    """A list on several lines, as the one that it is (RFC 9110 5.3); empty if it is too long."""
    value = b",".join(line[len(name) + 1 :] for line in kept.split(b"\r\n")[1:] if field_name(line) == name)
    return value if len(value) <= _LONGEST_LIST else b""


CONTENT_LENGTH = frozenset((b"content-length",))
"""For `without_fields`, if a response must not have a length."""


def without_fields(kept: bytes, names: frozenset[bytes]) -> bytes:
    """`kept` without every field of these lower-case names; the start line stays."""
    lines = kept.split(b"\r\n")
    return b"\r\n".join(lines[:1] + [line for line in lines[1:] if not line or field_name(line) not in names])


def strip_nominated(kept: bytes, nominated: bytes, malformed: str) -> bytes:
    """`kept` without the fields that Connection named (RFC 9110 7.6.1), except the protected ones. `malformed` is the
    cause for a list that is far too long: a message has a few such fields.
    """
    if nominated.count(b",") >= _MOST_NOMINATED:
        raise ProxyError(malformed, "Connection names too many fields")
    names = {name.strip(b" \t") for name in set(nominated.lower().split(b","))}
    return without_fields(kept, frozenset(name for name in names - _PROTECTED if not name.startswith(b"x-forwarded")))


def strip_request(head: RequestHead, nominated: bytes) -> None:
    """Remove the fields that Connection named from a request, and update the positions in its head."""
    head.kept = strip_nominated(head.kept, nominated, "http_request_error")
    find_places(head)


def find_places(head: RequestHead) -> None:
    """Set the positions of the fields whose values some exchanges need, after `kept` has changed."""
    head.accept_at, head.accept_size = _place(head.kept, b"accept")
    head.encoding_at, head.encoding_size = _place(head.kept, b"accept-encoding")
    head.agent_at, head.agent_size = _place(head.kept, b"user-agent")
    head.referer_at, head.referer_size = _place(head.kept, b"referer")


def strip_response(head: ResponseHead, nominated: bytes) -> None:
    """Remove the fields that Connection named from a response."""
    head.kept = strip_nominated(head.kept, nominated, "http_protocol_error")
    head.type_at, head.type_size = _place(head.kept, b"content-type")


def _place(kept: bytes, name: bytes) -> tuple[int, int]:
    at = 0
    for line in kept.split(b"\r\n"):
        if at and field_name(line) == name:
            value = line[len(name) + 1 :]
            blanks = len(value) - len(value.lstrip(b" \t"))
            return at + len(name) + 1 + blanks, len(value.strip(b" \t"))
        at += len(line) + 2
    return 0, 0


def is_authority(value: bytes) -> bool:
    """Whether this is a host with or without a port: no userinfo, no percent-encoding."""
    match = _authority(value)
    return match is not None and not (match[1] and int(match[1]) > _LAST_PORT)


def origin_form(head: RequestHead) -> None:
    """Turn an absolute-form target into origin-form, or that of OPTIONS without a path into `*` (RFC 9112 3.2.4).

    Its authority must be the one in Host, if Host has one (3.2.2).
    """
    target = head.target
    scheme, separator, rest = target.partition(b"://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise ProxyError("http_request_error", "the request target is neither a path nor a URL")
    cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    if not is_authority(authority):
        raise ProxyError("http_request_error", "the request target names no host")
    if head.host and _plain_authority(authority, scheme) != _plain_authority(head.host, scheme):
        raise ProxyError("http_request_error", "the request target and Host name different authorities")
    if not path and head.method == b"OPTIONS":
        head.target = b"*"
    else:
        head.target = path if path.startswith(b"/") else b"/" + path
    start = len(head.method) + 1
    head.kept = head.kept[:start] + head.target + head.kept[start + len(target) :]
    if not head.host:
        head.host = authority
        head.kept = without_fields(head.kept, _HOST) + b"Host: " + authority + b"\r\n"
    find_places(head)
    head.odd_path = True  # one closer look is cheaper than being exact about the skipped part


_HOST = frozenset((b"host",))


def _plain_authority(authority: bytes, scheme: bytes) -> bytes:
    """An authority in its normal form: lower case, without final dot and default port."""
    name = authority.lower().removesuffix(b":" + _DEFAULT_PORTS[scheme]).removesuffix(b":")
    host, colon, port = (name, b"", b"") if name.endswith(b"]") or b":" not in name else name.rpartition(b":")
    return host.removesuffix(b".") + colon + port


def trailer_fields(section: bytes, limits: Limits) -> bytes:
    """The lines of a trailer section that may be forwarded, each with its CRLF.

    `section` is every line before the empty one. Raises `ProxyError`: http_request_error for an invalid field line,
    request_header_too_large for a line or a number of fields over the limits (L1: trailers count like header fields).
    """
    kept = []
    lines = section.split(b"\r\n")[:-1]
    if len(lines) > limits.fields:
        raise ProxyError("request_header_too_large", "too many fields")
    for line in lines:
        if len(line) > limits.line:
            raise ProxyError("request_header_too_large")
        if _is_field_line(line) is None:
            raise ProxyError("http_request_error", "the trailer section is not made of field lines")
        plain = field_name(line).replace(b"_", b"-")
        if plain not in _NOT_IN_TRAILERS and not plain.startswith(b"x-forwarded"):
            kept.append(line + b"\r\n")
    return b"".join(kept)
