"""The unread bytes of a connection: what has come and was not handled yet. The compiled twin is `read_buffer.pyx`.

They are one immutable object as it was read, while all of it is handled at once; a rest that has to wait for more grows
in place. They are read by heads and bodies, which here are lengths. This file knows neither socket nor loop.
"""

from __future__ import annotations

from typing import TypeVar

from lb.http.body import Body
from lb.http.head import Limits, RequestHead, ResponseHead
from lb.http.head_cache import Known
from lb.http.scan import REQUESTS, RESPONSES, has_ended
from lb.proxy.io.poller import Watched

_Head = TypeVar("_Head", RequestHead, ResponseHead)


class ReadBuffer(Watched):
    """`have` counts unread bytes, `ready` those that were read as payload, and may go on."""

    __slots__ = ("_at", "_data", "_searched", "_span", "have", "ready")

    def __init__(self) -> None:
        self.have = self.ready = 0
        self._data: bytes | bytearray = b""  # unread is what stands from `_at` on
        self._at = 0
        self._searched = 0  # so many bytes of an unfinished head do not hold its end
        self._span = b""

    def _add(self, data: bytes) -> None:
        """More has come, while something is unread."""
        rest = self._data
        if isinstance(rest, bytearray):
            del rest[: self._at]
        else:
            rest = self._data = bytearray(memoryview(rest)[self._at :])
        rest += data
        self.have = len(rest)
        self._at = 0

    def fill(self, data: bytes) -> None:
        """More has come, from wherever: behind what is unread."""
        if self.have:
            self._add(data)
        else:
            self._data = data
            self._at = 0
            self.have = len(data)

    def scan_request(self, limits: Limits) -> RequestHead | None:
        """The request head that the unread bytes begin with, taken from them, or None. Raises what `scan` does."""
        return self._take_head(REQUESTS, limits)

    def scan_response(self, limits: Limits) -> ResponseHead | None:
        """The response head that the unread bytes begin with, taken from them, or None. Raises what `scan` does."""
        return self._take_head(RESPONSES, limits)

    def _take_head(self, heads: Known[_Head], limits: Limits) -> _Head | None:
        # A head is read when it has begun and when it is complete, so a slow one costs no more than its bytes.
        if self._searched and self.have <= limits.total and not has_ended(self._data, self._at, self._searched):
            self._searched = self.have
            return None
        head = heads.head_at(self._data, self._at, limits)
        if head is None:
            self._searched = self.have
            return None
        length = head.length
        self._searched = 0
        self._at += length
        self.have -= length
        return head

    def drop(self, n: int) -> None:
        """Forget the first `n` unread bytes."""
        self._at += n
        self.have -= n

    def read_body(self, body: Body) -> int:
        """Take what belongs to `body`; its payload is ready then, so many bytes. Raises what `Body.feed` does."""
        span, used = body.feed(self._data, self._at)
        self._at += used
        self.have -= used
        self._span = span
        size = self.ready = len(span)
        return size

    def read_up_to(self, n: int) -> int:
        """Make at most `n` unread bytes ready; their number."""
        at = self._at
        span = self._data[at : at + n]
        size = self.ready = len(span)
        self._at = at + size
        self.have -= size
        self._span = bytes(span) if isinstance(span, bytearray) else span
        return size

    def read_raw(self) -> int:
        """Make all unread bytes ready; their number."""
        self._span = bytes(self._data[self._at :])
        self.drop(self.have)
        self.ready = len(self._span)
        return self.ready

    def take_ready(self) -> bytes:
        """What is ready, as bytes."""
        taken = self._span if self.ready else b""
        self.ready = 0
        self._span = b""
        return taken

    def view(self, n: int) -> memoryview:
        """The first `n` unread bytes where they are; there must be so many. To be let go of before anything else is
        done here.
        """
        return memoryview(self._data)[self._at : self._at + n]

    def settle(self) -> None:
        """An exchange is over: if nothing is left to read, no memory is kept for it."""
        if not self.have:
            self._data = b""
            self._at = 0
