"""Responses that are written loosely, rewritten as `scan` reads them (F7): what RFC 9112 lets a recipient read of a
server, where nothing that could be read in two ways goes on to a client.

Rewritten are

- blanks between a name and its colon: removed (5.1: a proxy MUST);
- a folded line: its fold becomes one space (5.2), except a fold of blanks alone, which some take for the empty line;
- Content-Length several times, or with leading zeros, if all say the same: one number (6.3);
- lines that end with LF (2.2), if all lines of the head do: among lines that end with CR LF it is more likely that an
  app was made to write a field of a stranger's.

Everything else stays as it is, and `scan` refuses it. This is asked only about what `scan` has refused; it knows lines,
and nothing of what fields mean but the length.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.errors import ProxyError

_BLANKS = b" \t"
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Mended:
    """A head or the begin of one, with lines that end with CR LF; `length` is what the whole one took on the wire."""

    text: bytes
    length: int


def mend_head(data: bytes, most: int, error: ProxyError) -> Mended:
    """The head that `data` begins with, of `most` bytes at most.

    What has come of an unfinished one is given without its last field, which may go on in the next line.

    Raises `error` where nothing can be rewritten, and http_response_header_section_size.
    """
    lines, length = _lines(data, error)
    if error.cause.code != "http_protocol_error":
        raise error
    if length > most or (not length and len(data) > most):
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
    return Mended(text, length)


def _lines(data: bytes, error: ProxyError) -> tuple[list[bytes], int]:
    """The lines of a head without their ends, and where it ends (0: not yet). Raises `error` for mixed line ends."""
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
        lines.append(line)
        at = after
    return lines, 0


def unfolded(lines: list[bytes]) -> list[bytes] | None:
    """Field lines without folds and without blanks before their colons; None where a line belongs to no field."""
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
    """The same for the lines of a trailer section, each with its CR LF; what cannot be mended stays."""
    lines = unfolded(section.split(b"\r\n")[:-1])
    return section if lines is None else b"".join(line + b"\r\n" for line in lines)


def _with_one_length(fields: list[bytes]) -> list[bytes]:
    """Fields with one Content-Length in place of several that say the same."""
    lengths = [line for line in fields if line.partition(b":")[0].lower() == b"content-length"]
    values = [value.strip(_BLANKS) for line in lengths for value in line.partition(b":")[2].split(b",")]
    numbers = {value.lstrip(b"0") or b"0" for value in values if value.isdigit()}
    if len(numbers) != 1 or not all(value.isdigit() for value in values):
        return fields
    (number,) = numbers
    if len(number) > _DIGITS or (len(values) == 1 and values[0] == number):
        return fields
    at = fields.index(lengths[0])
    others = [line for line in fields[at + 1 :] if line not in lengths]
    return [*fields[:at], b"Content-Length: " + number, *others]
