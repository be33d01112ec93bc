"""Single fields and cookies of a head that has been read, for the few requests that need them.

Cookies are read as browsers write them (RFC 6265 section 5.4): pairs between semicolons, the first of a name counts.
Nothing here is on the path of a request whose environment does not use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache


def field_value(kept: bytes, name: bytes) -> bytes | None:
    """The value of the first field of this lower-case name, or None."""
    for start, end in _fields(kept, name):
        return kept[start:end].strip(b" \t")
    return None


def cookie_value(kept: bytes, name: bytes) -> bytes | None:
    """The value of the first cookie of this name, or None."""
    called = _pairs_called(name)
    for start, end in _fields(kept, b"cookie"):
        pair = called.search(b";" + kept[start:end])
        if pair is not None:
            return pair[1].strip(b" \t")
    return None


def without_cookie(kept: bytes, name: bytes) -> bytes:
    """A request's fields without the cookies of this name; the others stay as they are written."""
    pieces = []
    at = 0
    called = _pairs_called(name)
    for start, end in _fields(kept, b"cookie"):
        others = called.sub(b"", b";" + kept[start:end])[1:].strip(b" \t")
        if not others:
            pieces.append(kept[at : start - len(b"cookie:")])
            at = end + 2
        elif others != kept[start:end].strip(b" \t"):
            pieces += (kept[at:start], b" ", others)
            at = end
    return b"".join((*pieces, kept[at:])) if at else kept


def without_set_cookie(kept: bytes, name: bytes) -> bytes:
    """A response's fields without those that set a cookie of this name."""
    pieces = []
    at = 0
    for start, end in _fields(kept, b"set-cookie"):
        if _is_called(kept[start:end], name):
            pieces.append(kept[at : start - len(b"set-cookie:")])
            at = end + 2
    return b"".join((*pieces, kept[at:])) if at else kept


@lru_cache(maxsize=64)
def _pairs_called(name: bytes) -> re.Pattern[bytes]:
    """Finds the pairs of this name in a Cookie value after a `;`, each with the `;` before it; group 1 is the value. A
    list of all pairs would be expensive: there can be one per byte.
    """
    return re.compile(rb";[ \t]*+" + re.escape(name) + rb"[ \t]*+=([^;]*+)")


def _is_called(pair: bytes, name: bytes) -> bool:
    found, equals, _ = pair.partition(b"=")
    return equals != b"" and found.strip(b" \t") == name


def _fields(kept: bytes, name: bytes) -> Iterator[tuple[int, int]]:
    """The start and end of each value of the fields of this lower-case name."""
    line = b"\r\n" + name + b":"
    lower = kept.lower()
    at = lower.find(line)
    while at >= 0:
        start = at + len(line)
        end = lower.find(b"\r\n", start)
        yield start, end
        at = lower.find(line, end)
