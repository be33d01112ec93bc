"""What the buffered request bodies of one worker take together: memory, disk, and what is done when either runs out.

Bodies begin in memory. When all of them hold much, each goes to its file as soon as it has a byte, and when the disk
does not keep up even so, requests are refused: memory has a bound, whatever clients send and however slow the disk is.
What is on disk counts for all workers together (`limits.buffered`). It knows sizes, not bodies.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.proxy.buffering.disk_writer import DiskWriter, directories

if TYPE_CHECKING:
    from lb.routing.buffered_bytes import BufferedBytes

log = logging.getLogger("lb.proxy")

_CROWDED = 64 << 20  # bytes in memory from which on each body goes to disk at once
_MOST = 256 << 20  # and from which on requests are refused
_SILENCE = 60.0  # seconds between two lines about the same trouble


class RequestBuffers:
    """`writer` writes to disk; `in_memory` is in bytes, `total` counts the requests that were buffered."""

    __slots__ = ("_on_disk", "_silent_until", "in_memory", "total", "writer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_error: Callable[[object, Exception], object], on_disk: BufferedBytes
    ) -> None:
        """`on_error` gets the client of a body whose handling failed."""
        self.writer = DiskWriter(loop, on_error)
        self._on_disk = on_disk
        self._silent_until = 0.0
        self.in_memory = self.total = 0

    def hold(self, size: int) -> None:
        """So many bytes more are in memory. Raises ProxyError if there are too many: buffer_limit_reached."""
        self.in_memory += size
        if self.in_memory > _MOST:
            raise ProxyError("buffer_limit_reached", "too much waits for the disk")

    def let_go(self, size: int) -> None:
        """So many bytes are no longer in memory."""
        self.in_memory -= size

    def is_crowded(self) -> bool:
        """Whether bodies should leave memory early."""
        return self.in_memory > _CROWDED

    def take_disk(self, size: int, limit: int) -> None:
        """Count so many bytes as on disk. Raises ProxyError if that is more than all workers may have there:
        buffer_limit_reached.
        """
        if not self._on_disk.take(size, limit):
            raise ProxyError("buffer_limit_reached", f"the limit is {limit} bytes (limits.buffered)")

    def has_room(self, size: int, limit: int) -> bool:
        """Whether so many bytes more may go to disk now."""
        return self._on_disk.total() + size <= limit

    def give_disk_back(self, size: int) -> None:
        """So many bytes are no longer on disk."""
        self._on_disk.give_back(size)

    def on_disk(self) -> int:
        """Bytes of this worker's files."""
        return self._on_disk.own()

    def figures(self) -> tuple[tuple[str, int], ...]:
        """Its cells in the counters."""
        return ("buffered_bytes", self.on_disk()), ("buffered_requests_total", self.total)

    def close(self) -> None:
        """Write nothing more than what was begun."""
        self.writer.close()

    def detach(self) -> None:
        """Another worker takes this one's place in what is counted together."""
        self._on_disk.detach()

    def say(self, error: int, now: float) -> None:
        """The disk refused something, with this errno: log it, a line a minute."""
        if now >= self._silent_until:
            self._silent_until = now + _SILENCE
            log.error(
                "request bodies cannot be buffered in %s: %s; correct that, or let TMPDIR name another directory; with "
                "buffering: off, an app or a route gets its requests as they arrive",
                " or ".join(directories()),
                os.strerror(error).lower(),
            )
