"""A cache of heads, by the bytes they were read from (uncompiled; see `scan`).

Keep-alive clients and instances repeat their heads to the byte, and the same bytes within the same limits always say
the same: a hit costs 1 µs, reading 28 (a browser's request) or 11 (a response). What is found is shared, so a head must
not be changed once it was read. Knows nothing of what heads say.

A client that sends a new head each time fills this with entries that are never used: that costs the others the gain,
and memory up to the bounds here, about 2 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lb.http.head import Limits, RequestHead, ResponseHead

_Head = TypeVar("_Head", RequestHead, ResponseHead)

_MOST = 256  # heads per generation
_LONGEST = 2048  # bytes of a head that is kept


class HeadCache(dict[bytes, _Head]):
    """The heads of these bytes, as `read` read them within `limits`. A head that was not used in two generations is
    dropped.

    `read` gets bytes, where a head begins in them, where the next empty line is (-1: nowhere), and the limits; it
    returns None for an incomplete head.
    """

    __slots__ = ("_older", "_read", "limits")

    def __init__(self, read: Callable[[bytes | bytearray, int, int, Limits], _Head | None]) -> None:
        self._read: Callable[[bytes | bytearray, int, int, Limits], _Head | None] = read
        self.limits: Limits | None = None
        self._older: dict[bytes, _Head] = {}

    def head_at(self, data: bytes | bytearray, start: int, limits: Limits) -> _Head | None:
        """The head that begins at `start`, or None while it is incomplete. Raises what `read` does."""
        if start == 0 and len(data) <= _LONGEST and limits is self.limits and isinstance(data, bytes):
            # It may be all that has arrived; hashing more than that would be wasted.
            head = self.get(data)
            if head is not None:
                return head
        end = data.find(b"\r\n\r\n", start)
        if end < 0:
            return self._read(data, start, end, limits)
        text = data[start : end + 4]
        if isinstance(text, bytearray):
            text = bytes(text)
        head = self.get(text)
        if head is None or limits is not self.limits:
            head = self._look_further(text, limits)
            if head is None:
                head = self._read(data, start, end, limits)
                if head is not None and head.length == len(text):  # else empty lines came before it
                    self._keep(text, head)
        return head

    def _look_further(self, text: bytes, limits: Limits) -> _Head | None:
        """The head of these bytes, which this generation lacks, or has for other limits."""
        if limits is not self.limits:
            self.limits = limits
            self.clear()
            self._older = {}
        head = self._older.get(text)
        if head is not None:
            self._keep(text, head)
        return head

    def _keep(self, text: bytes, head: _Head) -> None:
        """Cache this head, unless it is long."""
        if len(text) <= _LONGEST:
            if len(self) == _MOST:
                self._older = dict(self)
                self.clear()
            self[text] = head
