"""What a configuration does to the header fields of a message: removed, set, added, or given where there is none.

The order is always `remove`, `set`, `add`, `default`, whatever the order in the file. No configuration may set what
frames a message, what belongs to one connection, and what the front door itself says about a client: `why_not` tells
so at load time. This file knows field lines and templates, and no connection.
"""

from __future__ import annotations

import re

from lb.http.changed_head import without_lookalikes
from lb.http.head import field_name, without_fields
from lb.http.template import Template, Values

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FRAMING = frozenset({"content-length", "transfer-encoding", "trailer", "te"})
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "upgrade", "http2-settings"})
_ABOUT_CLIENTS = frozenset({"x-real-ip", "x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "client-cert"})
_OWN_RESPONSE = frozenset({"date", "proxy-status", "via"})


def why_not(name: str, *, response: bool) -> str | None:
    """Why a configuration may not touch the field of this name; None where it may."""
    lower = name.lower().replace("_", "-")
    if _TOKEN.fullmatch(name) is None:
        return f"{name!r} is not a field name"
    if lower in _FRAMING:
        return f"{name} says where a message ends"
    if lower in _HOP_BY_HOP:
        return f"{name} is about one connection"
    if not response and lower in _ABOUT_CLIENTS:
        return f"{name} is what lb itself says about the client"
    if response and lower in _OWN_RESPONSE:
        return f"{name} is what lb itself says about the response"
    return None


class FieldRules:
    """The rules for messages in one direction. Each of `assigned`, `added` and `defaults` is a name, as it is to be
    written, and a template. `alike` is for requests: CGI and WSGI have one name for `X_User` and `X-User`, so that what
    goes by one goes by the other.
    """

    __slots__ = ("_added", "_alike", "_defaults", "_gone")

    def __init__(
        self,
        removed: frozenset[str],
        assigned: tuple[tuple[str, Template], ...],
        added: tuple[tuple[str, Template], ...],
        defaults: tuple[tuple[str, Template], ...],
        alike: bool = False,
    ) -> None:
        self._alike = alike
        self._gone = frozenset(name.lower().encode() for name in (*removed, *(name for name, _ in assigned)))
        self._added = tuple((name.encode() + b": ", template) for name, template in (*assigned, *added))
        self._defaults = tuple((name.lower().encode(), name.encode() + b": ", value) for name, value in defaults)

    def apply(self, lines: bytes, values: Values) -> bytes:
        """A start line and field lines, each with its CRLF, as these rules want them."""
        if self._gone:
            lines = without_lookalikes(lines, self._gone) if self._alike else without_fields(lines, self._gone)
        for prefix, template in self._added:
            lines += prefix + template.fill(values) + b"\r\n"
        if self._defaults:
            present = {field_name(line) for line in lines.split(b"\r\n")[1:]}
            for name, prefix, template in self._defaults:
                if name not in present:
                    lines += prefix + template.fill(values) + b"\r\n"
        return lines
