"""Where a message's body ends, and which of its bytes are payload (RFC 9112 sections 6 and 7).

A `Body` is fed what has been read and says how much of it belongs to the message. Chunked bodies are decoded strictly:
sizes are hex digits and nothing else, lines end with CR LF, extensions follow RFC 9112 7.1.1, are dropped and their sum
is bounded, trailers are field lines within the limits of heads.

Bodies from instances are read as leniently as is possible without ambiguity (`lenient`, F7): sizes may have any number
of leading zeros and trailing blanks, extensions may be anything without control characters, with the bound per chunk;
trailers may be folded, and have blanks before their colons. Lines end with CR LF there, too: RFC 9112 2.2 allows a bare
LF only in heads.

This file knows neither the sender nor the destination of a body; errors are named as for a client, and the reader of an
instance's body renames them. Its compiled twin is `body.pyx`.
"""

from __future__ import annotations

from lb.errors import ProxyError
from lb.http.chunk_extensions import AFTER_SIZE, BAD, CONTROL, END, STEPS, of_instance, of_request
from lb.http.head import Limits, trailer_fields
from lb.http.lenient import unfolded_section

NONE, LENGTH, CHUNKED, CLOSE = range(4)

_SIZE, _EXTENSION, _SIZE_LF, _DATA, _DATA_CR, _DATA_LF, _TRAILER = range(7)
_HEX = {byte: int(chr(byte), 16) for byte in b"0123456789abcdefABCDEF"}
_DIGITS = 15  # of a chunk's size
# Bytes of chunk extensions allowed in a request, or in a chunk of a response (CVE-2023-39326).
_EXTENSIONS = 4096
_UNBOUNDED = 2**63 - 1


class Body:
    """The rest of one message's body.

    `kind` is how its end is marked; `left` the bytes still to come (of the body, or of the chunk); `total` the payload
    so far, which must not exceed `cap` (-1: unbounded); `done` means that the end was seen; `trailers` are the trailer
    lines to be forwarded. `lenient` is for bodies from instances.
    """

    __slots__ = (
        "_digits",
        "_extension",
        "_extensions",
        "_lines",
        "_section",
        "_state",
        "cap",
        "done",
        "kind",
        "left",
        "lenient",
        "limits",
        "total",
        "trailers",
    )

    def __init__(self, kind: int, length: int, cap: int, limits: Limits, lenient: bool = False) -> None:
        self.kind = kind
        self.left = length
        self.cap = cap if cap >= 0 else _UNBOUNDED
        self.done = kind == NONE or (kind == LENGTH and length == 0)
        self.total = 0
        self.trailers: bytes | None = None
        if kind == CHUNKED:
            self.limits = limits
            self.lenient = lenient
            self._state = _SIZE
            self._digits = 0
            self._extensions = 0
            self._extension = 0  # state within its grammar
            self._section: bytearray | None = None
            self._lines = 0  # of the trailer section

    def feed(self, data: bytes | bytearray, at: int = 0) -> tuple[bytes, int]:
        """Take what belongs to the body from `data` from `at` on: returns the payload, and how many bytes were used.

        Raises `ProxyError`: http_request_error for bad framing, request_body_too_large past `cap`,
        request_header_too_large for trailers.
        """
        if self.done:
            return b"", 0
        if self.kind == CHUNKED:
            payload, used = self._chunks(data[at:] if at else data)
        else:
            taken = data[at : at + self.left] if self.kind == LENGTH else data[at:]
            payload = bytes(taken) if isinstance(taken, bytearray) else taken
            used = len(payload)
            if self.kind == LENGTH:
                self.left -= used
                self.done = self.left == 0
        self.total += len(payload)
        if self.total > self.cap:
            raise ProxyError("request_body_too_large")
        return payload, used

    def _chunks(self, data: bytes | bytearray) -> tuple[bytes, int]:
        payload = []
        at = 0
        size = len(data)
        while at < size and not self.done:
            if self._state == _DATA:
                piece = bytes(data[at : at + self.left])
                payload.append(piece)
                at += len(piece)
                self.left -= len(piece)
                if self.left == 0:
                    self._state = _DATA_CR
            elif self._state == _TRAILER:
                at += self._trailer(data, at)
            else:
                self._framing(data[at])
                at += 1
        return b"".join(payload), at

    def _framing(self, byte: int) -> None:
        """Read one byte between payloads."""
        state = self._state
        if state == _SIZE:
            self._size(byte)
        elif state == _SIZE_LF:
            if byte != 0x0A:
                raise _bad("a chunk size does not end with CR LF")
            self._state = _DATA if self.left else _TRAILER
            self._digits = 0
            if self.lenient:
                self._extensions = 0
        elif state == _EXTENSION:
            self._extend(byte)
        elif byte != (0x0D if state == _DATA_CR else 0x0A):
            raise _bad("a chunk is longer than its size")
        else:
            self._state = _DATA_LF if state == _DATA_CR else _SIZE

    def _size(self, byte: int) -> None:
        digit = _HEX.get(byte)
        if digit is not None:
            if self.lenient and self.left == 0:
                self._count_extension()
                self._digits = 0
            self._digits += 1
            if self._digits > _DIGITS:
                raise _bad("a chunk size has too many digits")
            self.left = self.left * 16 + digit
        elif self._digits == 0:
            raise _bad("a chunk size is not a number")
        elif byte == 0x0D:
            self._state = _SIZE_LF
        elif byte == 0x3B:
            self._state = _EXTENSION
            self._extension = of_instance if self.lenient else of_request
        elif self.lenient and byte in b" \t":
            self._state = _EXTENSION
            self._extension = AFTER_SIZE
        else:
            raise _bad("a chunk size is not a number")

    def _extend(self, byte: int) -> None:
        self._count_extension()
        step = STEPS[self._extension * 256 + byte]
        if step == END:
            self._state = _SIZE_LF
        elif step == CONTROL:
            raise _bad("a chunk extension has a control character")
        elif step == BAD:
            raise _bad("what follows a chunk size is not a chunk extension")
        else:
            self._extension = step

    def _count_extension(self) -> None:
        self._extensions += 1
        if self._extensions > _EXTENSIONS:
            raise _bad("the chunk extensions are too long")

    def _trailer(self, data: bytes | bytearray, at: int) -> int:
        """Collect lines up to the empty one, which ends the message; returns the number of bytes taken."""
        if self._section is None:
            self._section = bytearray()
        start = at
        while at < len(data) and not self.done:
            end = data.find(b"\n", at) + 1 or len(data)
            self._section += data[at:end]
            at = end
            if self._section == b"\r\n" or self._section.endswith(b"\n\r\n"):
                section = bytes(self._section[:-2])
                self.trailers = trailer_fields(unfolded_section(section) if self.lenient else section, self.limits)
                self.done = True
            elif data[end - 1] == 0x0A and not self._section.endswith(b"\r\n"):
                raise _bad("a line does not end with CR LF")
            elif len(self._section) > self.limits.total + 2:
                raise ProxyError("request_header_too_large")
            elif data[end - 1] == 0x0A:
                self._lines += 1
                if self._lines > self.limits.fields:
                    raise ProxyError("request_header_too_large", "too many fields")
        return at - start


def _bad(detail: str) -> ProxyError:
    return ProxyError("http_request_error", detail)
