"""Byte ranges (RFC 9110 section 14): what a Range field asks for, and how several parts are put into one body.

Pure. A field that is not about bytes, or cannot be read, is none: the client gets the whole. So does one that asks for
many parts, or for more bytes than there are: parts that overlap would make a small request a large response.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_MOST = 64  # parts of one response
_LONGEST = 2048  # bytes of the field
_spec = re.compile(rb"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")

Range = tuple[int, int]
"""Where it begins, and how many bytes it has."""


def ranges_in(value: bytes | None, size: int) -> list[Range] | None:
    """The ranges of a body of `size` bytes that `value` asks for, in its order; an empty list where none of them is
    there (416), None where Range is to be ignored.
    """
    if value is None or len(value) > _LONGEST:
        return None
    unit, equals, text = value.partition(b"=")
    if not equals or unit.strip(b" \t").lower() != b"bytes":
        return None
    found: list[Range] = []
    asked = 0
    for item in text.split(b","):
        spec = item.strip(b" \t")
        if not spec:
            continue  # an empty element of a list is none (RFC 9110 5.6.1)
        match = _spec.fullmatch(spec)
        if match is None or (match[2] and int(match[2]) < int(match[1])):
            return None
        asked += 1
        one = _satisfiable(match, size)
        if one is not None:
            found.append(one)
    if not asked or asked > _MOST or (len(found) > 1 and sum(length for _, length in found) > size):
        return None
    return found


def _satisfiable(match: re.Match[bytes], size: int) -> Range | None:
    if match[3] is not None:
        length = min(int(match[3]), size)
        return (size - length, length) if length else None
    first = int(match[1])
    if first >= size:
        return None
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    return first, last - first + 1


def content_range(part: Range, size: int) -> bytes:
    """The value of Content-Range for a part."""
    return b"bytes %d-%d/%d" % (part[0], part[0] + part[1] - 1, size)


def part_heads(parts: Sequence[Range], size: int, content_type: bytes, boundary: bytes) -> list[bytes]:
    """What stands before each part of a `multipart/byteranges` body, and behind the last one."""
    heads = [
        b"\r\n--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n"
        % (boundary, content_type, content_range(part, size))
        for part in parts
    ]
    return [*heads, b"\r\n--%b--\r\n" % boundary]
