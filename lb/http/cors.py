"""Cross-origin requests (CORS, Fetch Standard section 3.2): preflights answered, responses marked.

With this, an app needs no CORS of its own; what it says under these names is replaced, since two answers make browsers
refuse both. This file knows heads and replies. It decides nothing about who may ask: a browser enforces what is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.http.cookies import field_value
from lb.http.head import RequestHead, field_name, without_fields
from lb.http.reply import Reply

_ANY = b"*"
_SAID = frozenset(
    (
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"access-control-expose-headers",
        b"access-control-allow-methods",
        b"access-control-allow-headers",
        b"access-control-max-age",
    )
)
_PREFLIGHT_VARY = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


@dataclass(frozen=True, slots=True)
class Cors:
    """What scripts of which origins may do. `suffixes` are those of wildcards: (`https`, `.example.com`). `headers` are
    the request fields that are allowed, None for whatever a preflight asks for; `max_age` is in seconds.
    """

    any_origin: bool
    origins: frozenset[bytes]
    suffixes: tuple[tuple[bytes, bytes], ...]
    methods: tuple[bytes, ...]
    headers: tuple[bytes, ...] | None
    expose: tuple[bytes, ...]
    credentials: bool
    max_age: int

    def allows(self, origin: bytes) -> bool:
        """Whether scripts of this origin may read responses."""
        if self.any_origin or origin.lower() in self.origins:
            return True
        scheme, separator, host = origin.lower().partition(b"://")
        if not separator:
            return False
        return any(
            scheme == wanted and host.endswith(suffix) and len(host) > len(suffix) for wanted, suffix in self.suffixes
        )


def preflight(cors: Cors, head: RequestHead) -> Reply | None:
    """The answer to a preflight, None where the request is none. An origin that is not allowed gets an answer that
    allows nothing.
    """
    if not is_preflight(head):
        return None
    origin = field_value(head.kept, b"origin") or b""
    fields: list[tuple[bytes, bytes]] = [(b"Vary", _PREFLIGHT_VARY)]
    if cors.allows(origin):
        fields += _origin_fields(cors, origin)
        fields.append((b"Access-Control-Allow-Methods", b", ".join(cors.methods)))
        asked = field_value(head.kept, b"access-control-request-headers")
        allowed = b", ".join(cors.headers) if cors.headers is not None else asked
        if allowed:
            fields.append((b"Access-Control-Allow-Headers", allowed))
        fields.append((b"Access-Control-Max-Age", b"%d" % cors.max_age))
    return Reply(204, tuple(fields), b"")


def is_preflight(head: RequestHead) -> bool:
    """Whether a script's browser asks for permission (fetch standard, CORS-preflight request)."""
    return (
        head.method == b"OPTIONS"
        and field_value(head.kept, b"origin") is not None
        and field_value(head.kept, b"access-control-request-method") is not None
    )


def mark(cors: Cors, head: RequestHead, lines: bytes) -> bytes:
    """The status line and field lines of a response, with what CORS has to say of it. A preflight's has it already: it
    never reaches an app, so that its response is always of `preflight`.
    """
    if is_preflight(head):
        return lines
    if any(field_name(line) in _SAID for line in lines.split(b"\r\n")[1:]):
        lines = without_fields(lines, _SAID)
    origin = field_value(head.kept, b"origin")
    if origin is not None and cors.allows(origin):
        for name, value in _origin_fields(cors, origin):
            lines += b"%b: %b\r\n" % (name, value)
        if cors.expose:
            lines += b"Access-Control-Expose-Headers: " + b", ".join(cors.expose) + b"\r\n"
    if not cors.any_origin or cors.credentials:
        lines += b"Vary: Origin\r\n"  # on every response: a cache may not give one origin's answer to another
    return lines


def _origin_fields(cors: Cors, origin: bytes) -> list[tuple[bytes, bytes]]:
    if cors.credentials:
        return [(b"Access-Control-Allow-Origin", origin), (b"Access-Control-Allow-Credentials", b"true")]
    return [(b"Access-Control-Allow-Origin", _ANY if cors.any_origin else origin)]
