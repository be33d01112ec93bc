"""Decodes header blocks (HPACK, RFC 7541) straight to the text of HTTP/1 heads. The compiled twin is `hpack.pyx`.

An entry of the dynamic table is kept as a line of HTTP/1 that was checked when it came in, so a repeated field costs
one copy. A block is always decoded to its end, even if its message is refused, since the next one refers to what this
one put into the table; the exceptions end the connection. Bounds: integers of 28 bits, two changes of the table's size
in a block, and what `message_text` says of all fields. This file knows blocks and the table; it knows neither frames
nor streams.
"""

from __future__ import annotations

from collections import deque
from copy import copy

from lb.http.h2_errors import COMPRESSION_ERROR, MalformedError, SessionError
from lb.http.head import Limits, RequestHead, ResponseHead, trailer_fields
from lb.http.hpack_tables import (
    EMITS,
    ENDS,
    FAILS,
    HUFFMAN_MARKS,
    HUFFMAN_NEXT,
    HUFFMAN_SYMBOLS,
    STATIC,
    TABLE_SIZE,
)
from lb.http.message_text import DISCARD, REQUEST, RESPONSE, TRAILERS, DecodedField, MessageText
from lb.http.scan import scan_request, scan_response

_STATIC = tuple(DecodedField(name, value) for name, value in STATIC)
_LONGEST_INTEGER = 4  # bytes after the first
_RESIZES = 2  # in a block: to the smallest size in between, and to the final one (RFC 7541 4.2)


class HpackDecoder:
    """What one peer sends on one connection. `scheme`, `protocol`, `priority` (values, empty if not given) and
    `te_trailers` are of the request that was read last.
    """

    __slots__ = ("_limit", "_made", "_most_fields", "_size", "_table", "priority", "protocol", "scheme", "te_trailers")

    def __init__(self, most_fields: int = 200) -> None:
        self._most_fields = most_fields
        self._table: deque[DecodedField] = deque()  # the newest first
        self._size = 0
        self._limit = TABLE_SIZE
        self._made: MessageText | None = None
        self.scheme = self.protocol = self.priority = b""
        self.te_trailers = False

    def request(self, block: bytes, limits: Limits, ended: bool) -> RequestHead:
        """The request that this block is; `ended`: no body follows, else one without a length is chunked.

        Raises SessionError, MalformedError and, as for HTTP/1, ProxyError.
        """
        text = self.request_text(block, limits, ended)
        head = scan_request(text, limits)
        if head is None:
            raise AssertionError  # it ends with an empty line
        if ended and head.body_length > 0:
            raise MalformedError("Content-Length is given, and there is no body")
        return copy(head) if self.protocol else head  # the caller completes it, and the original may be shared

    def request_text(self, block: bytes, limits: Limits, ended: bool) -> bytes:
        """As `request`, before it is read."""
        message = self._decode(block, REQUEST, limits)
        self.scheme = message.scheme
        self.protocol = message.protocol
        self.priority = message.priority
        self.te_trailers = message.te
        message.conclude()
        return message.request(ended)

    def response(self, block: bytes, limits: Limits) -> ResponseHead:
        """The response that this block is. Raises as `request` does."""
        message = self._decode(block, RESPONSE, limits)
        message.conclude()
        head = scan_response(message.so_far() + b"\r\n", limits)
        if head is None:
            raise AssertionError
        return head

    def trailers(self, block: bytes, limits: Limits) -> bytes:
        """The trailer lines in this block that may be forwarded. Raises as `request` does."""
        message = self._decode(block, TRAILERS, limits)
        message.conclude()
        return trailer_fields(message.so_far(), limits)

    def discard(self, block: bytes, limits: Limits) -> None:
        """Decode a block of no use, for what it does to the table. Raises SessionError."""
        self._decode(block, DISCARD, limits)

    def text(self) -> bytes:
        """What had been made of the last block when it was refused."""
        return b"" if self._made is None else self._made.so_far()

    # Blocks

    def _decode(self, block: bytes, form: int, limits: Limits) -> MessageText:
        message = self._made = MessageText(form, limits, self._most_fields)
        at = 0
        end = len(block)
        resizes = 0
        while at < end:
            first = block[at]
            if first & 0x80:
                index, at = _integer(block, at, 7)
                message.add(self._entry(index))
            elif first & 0x40:
                field, at = self._literal(block, at, 6)
                self._keep(field)
                message.add(field)
            elif first & 0x20:
                resizes += 1
                if resizes > _RESIZES:
                    raise _broken("the table's size changes too late or too often")
                size, at = _integer(block, at, 5)
                self._resize(size)
                continue
            else:
                field, at = self._literal(block, at, 4)
                message.add(field)
            resizes = _RESIZES  # RFC 7541 4.2: at the beginning of a block
        return message

    def _literal(self, block: bytes, at: int, prefix: int) -> tuple[DecodedField, int]:
        index, at = _integer(block, at, prefix)
        if index:
            name = self._entry(index).name
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        return DecodedField(name, value), at

    # The table

    def _entry(self, index: int) -> DecodedField:
        if not 0 < index <= len(_STATIC) + len(self._table):
            raise _broken("an index is not in the table")
        return _STATIC[index - 1] if index <= len(_STATIC) else self._table[index - len(_STATIC) - 1]

    def _keep(self, field: DecodedField) -> None:
        self._evict(field.size)
        if field.size <= self._limit:
            self._table.appendleft(field)
            self._size += field.size

    def _resize(self, limit: int) -> None:
        if limit > TABLE_SIZE:
            raise _broken("the table's size is larger than allowed")
        self._limit = limit
        self._evict(0)

    def _evict(self, needed: int) -> None:
        """Make room for an entry of this size; one that is larger than the table empties it (RFC 7541 4.4)."""
        while self._table and self._size + needed > self._limit:
            self._size -= self._table.pop().size


def _broken(detail: str) -> SessionError:
    return SessionError(COMPRESSION_ERROR, detail)


def _integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    """The integer at a place in the block (RFC 7541 5.1), and the place after it."""
    most = (1 << prefix) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for place in range(_LONGEST_INTEGER):
        if at == len(block):
            raise _broken("the block ends within an integer")
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at
    raise _broken("an integer is too large")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """The string at a place in the block (RFC 7541 5.2), and the place after it."""
    if at == len(block):
        raise _broken("the block ends before a string")
    coded = block[at] & 0x80
    size, at = _integer(block, at, 7)
    end = at + size
    if end > len(block):
        raise _broken("the block ends within a string")
    text = block[at:end]
    return (_decoded(text) if coded else text), end


def _decoded(text: bytes) -> bytes:
    """A string in the Huffman code, decoded."""
    found = bytearray()
    state, mark = 0, ENDS
    for byte in text:
        for bits in (byte >> 4, byte & 15):
            step = state << 4 | bits
            state, mark = HUFFMAN_NEXT[step], HUFFMAN_MARKS[step]
            if mark & FAILS:
                raise _broken("a string has a code that is none")
            if mark & EMITS:
                found.append(HUFFMAN_SYMBOLS[step])
    if not mark & ENDS:
        raise _broken("a string ends within a code")
    return bytes(found)
