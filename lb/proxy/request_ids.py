"""Identifiers for requests that came without one (H5). Knows nothing of requests."""

from __future__ import annotations

import os

_LOW = [b"%03x" % number for number in range(4096)]


class RequestIds:
    """The identifiers of one worker: 32 hex digits, unguessable across workers, counted within one."""

    __slots__ = ("_head", "_next", "_prefix")

    def __init__(self) -> None:
        self._prefix = os.urandom(8).hex().encode()
        self._next = int.from_bytes(os.urandom(3), "big")
        self._head: bytes | None = None  # all but the last three digits, for which a table is cheaper than a format

    def new(self) -> bytes:
        """The next one."""
        number = self._next
        self._next = number + 1
        low = number & 0xFFF
        if low == 0 or self._head is None:
            self._head = self._prefix + b"%013x" % (number >> 12)
        return self._head + _LOW[low]
