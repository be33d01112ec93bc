"""Loosely written responses, rewritten so that `scan` accepts them (F7): what RFC 9112 lets a recipient accept from a
server, while nothing ambiguous is forwarded to a client.

Rewritten are

- blanks between a name and its colon: removed (5.1: a proxy MUST);
- a folded line: its fold becomes one space (5.2), except a fold of blanks alone, which some take for the empty line;
- Content-Length several times (64 at most), or with leading zeros, if all say the same: one number (6.3);
- lines that end with LF (2.2), if all lines of the head do: among lines that end with CR LF it is more likely that an
  app was made to write an injected field.

Everything else stays as it is, and `scan` refuses it. This is used only for what `scan` has refused; it knows lines,
and no meaning of fields but the length.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.errors import ProxyError
from lb.http.head import Limits

_BLANKS = b" \t"
_DIGITS = 18
_MOST_LENGTHS = 64  # elements of all Content-Length: more are no number


@dataclass(frozen=True, slots=True)
class RewrittenHead:
    """A head or the beginning of one, with lines that end with CR LF; `length` is its whole size on the wire."""

    text: bytes
    length: int


def mend_head(data: bytes, limits: Limits, error: ProxyError) -> RewrittenHead:
    """The head that `data` begins with, within `limits`; here, every line counts as a field, also one of a fold.

    An unfinished one is returned without its last field, which may continue on the next line.

    Raises `error` if nothing can be rewritten, and http_response_header_section_size.
    """
    if error.cause.code != "http_protocol_error":
        raise error
    lines, length = _lines(data, limits.fields, error)
    if length > limits.total or (not length and len(data) > limits.total):
        raise ProxyError("http_response_header_section_size")
    mended = unfolded(lines[1:])
    if mended is None:
        raise error
    fields = _with_one_length(mended)
    if not length:
        text = b"\r\n".join((lines[0], *fields[:-1], b""))
    elif fields == lines[1:] and data[len(lines[0])] != ord("\n"):
        raise error
    else:
        text = b"\r\n".join((lines[0], *fields, b"", b""))
    return RewrittenHead(text, length)


def _lines(data: bytes, most: int, error: ProxyError) -> tuple[list[bytes], int]:
    """The lines of a head without their ends, and where it ends (0: not yet). Raises `error` for mixed line ends, and
    http_response_header_section_size for more than `most` after the first: before any work is spent on so many.
    """
    first = data.find(b"\n")
    if first < 0:
        raise error
    end = b"\r\n" if data[first - 1 : first] == b"\r" else b"\n"
    lines: list[bytes] = []
    at = 0
    while (after := data.find(b"\n", at) + 1) > 0:
        line = data[at : after - len(end)]
        if not data.endswith(end, at, after) or (end == b"\n" and line.endswith(b"\r")):
            raise error
        if not line and lines:
            return lines, after
        if len(lines) > most:
            raise ProxyError("http_response_header_section_size", "too many fields")
        lines.append(line)
        at = after
    return lines, 0


def unfolded(lines: list[bytes]) -> list[bytes] | None:
    """Field lines without folds and without blanks before their colons; None if a line belongs to no field."""
    fields: list[list[bytes]] = []
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            name, colon, value = line.partition(b":")
            fields.append([name.rstrip(_BLANKS) + colon + value])
        elif fields and line.strip(_BLANKS):
            fields[-1].append(line.strip(_BLANKS))
        else:
            return None
    return [parts[0] if len(parts) == 1 else b" ".join((parts[0].rstrip(_BLANKS), *parts[1:])) for parts in fields]


def unfolded_section(section: bytes) -> bytes:
    """The same for the lines of a trailer section, each with its CR LF; unchanged if it cannot be rewritten."""
    lines = unfolded(section.split(b"\r\n")[:-1])
    return section if lines is None else b"".join(line + b"\r\n" for line in lines)


def _with_one_length(fields: list[bytes]) -> list[bytes]:
    """Fields with one Content-Length in place of several that say the same."""
    places = [at for at, line in enumerate(fields) if line.partition(b":")[0].lower() == b"content-length"]
    said = b",".join(fields[at].partition(b":")[2] for at in places)
    if said.count(b",") >= _MOST_LENGTHS:
        return fields
    values = [value.strip(_BLANKS) for value in said.split(b",")]
    numbers = {value.lstrip(b"0") or b"0" for value in values if value.isdigit()}
    if len(numbers) != 1 or not all(value.isdigit() for value in values):
        return fields
    (number,) = numbers
    if len(number) > _DIGITS or (len(values) == 1 and values[0] == number):
        return fields
    first, *others = places
    without = set(others)
    one = [line for at, line in enumerate(fields) if at not in without]
    one[first] = b"Content-Length: " + number
    return one
