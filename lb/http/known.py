"""Heads that were read before, by the bytes they were read from (uncompiled; see `scan`).

Keep-alive clients and instances repeat their heads to the byte, and a head says the same whenever the same bytes are
read within the same limits: finding it again costs 1 µs where reading it costs 28 (a browser's request) or 11 (a
response). What is found is shared, so nobody changes a head once it was read. Knows nothing of what heads say.

Whoever sends a new head each time fills this with what nobody asks for again: that costs the others the gain, and
memory up to the bounds here, about 2 MB.
"""

from __future__ import annotations

from typing import TypeVar

from lb.http.head import Limits

_Head = TypeVar("_Head")

_MOST = 256  # heads a generation
_LONGEST = 2048  # bytes of a head that is kept


class Known(dict[bytes, _Head]):
    """The heads of these bytes, read within `limits`. What was asked for in neither of two generations is forgotten."""

    __slots__ = ("_older", "limits")

    def __init__(self) -> None:
        self.limits: Limits | None = None
        self._older: dict[bytes, _Head] = {}

    def look_further(self, text: bytes, limits: Limits) -> _Head | None:
        """The head of these bytes, which this generation does not have or has for other limits, or None."""
        if self.limits is not limits:
            self.limits = limits
            self.clear()
            self._older = {}
        head = self._older.get(text)
        if head is not None:
            self.keep(text, head)
        return head

    def keep(self, text: bytes, head: _Head) -> None:
        """Know this head from now on, unless it is a long one."""
        if len(text) <= _LONGEST:
            if len(self) == _MOST:
                self._older = dict(self)
                self.clear()
            self[text] = head
