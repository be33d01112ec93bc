"""How much memory the uploads of one worker may take beyond the windows that every stream has.

A window bounds what arrives of a body while its instance does not take it. One of 64 KiB lets a client that is 100 ms
away send 5 Mbit/s; so the windows of streams whose instance keeps up grow, as long as there is something left here.
"""

from __future__ import annotations

LARGEST = 4 << 20
"""Bytes that the window of one stream may grow to."""

_IN_ALL = 64 << 20


class UploadMemory:
    """`left` is how many bytes windows may still grow by."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _IN_ALL

    def take(self, n: int) -> int:
        """So many bytes for a window: all of them, or 0."""
        if n > self.left:
            return 0
        self.left -= n
        return n

    def give_back(self, n: int) -> None:
        """A stream with a window that had grown by so many bytes is over."""
        self.left += n


UPLOADS = UploadMemory()
"""That of this process."""
