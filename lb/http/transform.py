"""A response's fields when its body gets a content coding on the way (C2). Pure; works on the kept part of a head."""

from __future__ import annotations

from lb.http.head import field_name, without_fields
from lb.http.negotiate import weaken_etag

_OF_THE_OTHER_BODY = frozenset((b"content-length", b"accept-ranges", b"content-encoding"))


def varied(kept: bytes) -> bytes:
    """The head with `Vary: Accept-Encoding`, unless it says so already."""
    for line in kept.split(b"\r\n")[1:]:
        if line and field_name(line) == b"vary":
            names = {name.strip().lower() for name in line.partition(b":")[2].split(b",")}
            if b"accept-encoding" in names or b"*" in names:
                return kept
    return kept + b"Vary: Accept-Encoding\r\n"


def encoded(kept: bytes, coding: bytes) -> bytes:
    """The head of the same response with its body in this coding: a strong ETag weak, length and ranges gone."""
    lines = without_fields(kept, _OF_THE_OTHER_BODY).split(b"\r\n")
    for at, line in enumerate(lines):
        if at and line and field_name(line) == b"etag":
            name, _, value = line.partition(b":")
            lines[at] = name + b": " + weaken_etag(value.strip())
    return b"\r\n".join(lines) + b"Content-Encoding: " + coding + b"\r\n"
