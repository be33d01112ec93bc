"""Heads that were read before, by the bytes they were read from (uncompiled; see `scan`).

Keep-alive clients and instances repeat their heads to the byte, and a head says the same whenever the same bytes are
read within the same limits: finding it again costs 2 µs where reading it costs 28 (a browser's request) or 11 (a
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


class Known(dict[tuple[bytes, Limits], _Head | None]):
    """The head of these bytes within these limits, or None. What was asked for in neither of two generations is
    forgotten.
    """

    __slots__ = ("_older",)

    def __init__(self) -> None:
        self._older: dict[tuple[bytes, Limits], _Head | None] = {}

    def __missing__(self, key: tuple[bytes, Limits]) -> _Head | None:
        head = self._older.get(key)
        if head is not None:
            self.keep(key, head)
        return head

    def keep(self, key: tuple[bytes, Limits], head: _Head) -> None:
        """Know this head from now on, unless it is a long one."""
        if len(key[0]) <= _LONGEST:
            if len(self) == _MOST:
                self._older = dict(self)
                self.clear()
            self[key] = head
