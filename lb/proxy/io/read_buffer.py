"""The unread bytes of a connection: what has arrived and is yet to be handled. The compiled twin is `read_buffer.pyx`.

They are one immutable object, as read, while all of it is handled at once; a rest that waits for more grows in place.
Heads and bodies read them, and appear here as lengths. This file knows neither socket nor loop.
"""

from __future__ import annotations

from typing import TypeVar

from lb.http.body import Body
from lb.http.frame_writer import FrameWriter
from lb.http.frames import FrameReader
from lb.http.head import Limits, RequestHead, ResponseHead
from lb.http.head_cache import HeadCache
from lb.http.scan import REQUESTS, RESPONSES, has_ended
from lb.proxy.io.poller import Watched

_Head = TypeVar("_Head", RequestHead, ResponseHead)


class ReadBuffer(Watched):
    """`have` counts unread bytes, `ready` those that were read as payload and may be sent on."""

    __slots__ = ("_at", "_data", "_searched", "_span", "have", "ready")

    def __init__(self) -> None:
        self.have = self.ready = 0
        self._data: bytes | bytearray = b""  # the unread bytes begin at `_at`
        self._at = 0
        self._searched = 0  # so many bytes of an unfinished head do not contain its end
        self._span = b""

    def _add(self, data: bytes) -> None:
        """Append, while something is unread."""
        rest = self._data
        if isinstance(rest, bytearray):
            del rest[: self._at]
        else:
            rest = self._data = bytearray(memoryview(rest)[self._at :])
        rest += data
        self.have = len(rest)
        self._at = 0

    def fill(self, data: bytes) -> None:
        """Append bytes from any source to the unread ones."""
        if self.have:
            self._add(data)
        else:
            self._data = data
            self._at = 0
            self.have = len(data)

    def scan_request(self, limits: Limits) -> RequestHead | None:
        """Take a request head from the start of the unread bytes; None if incomplete. Raises what `scan` does."""
        return self._take_head(REQUESTS, limits)

    def scan_response(self, limits: Limits) -> ResponseHead | None:
        """Take a response head from the start of the unread bytes; None if incomplete. Raises what `scan` does."""
        return self._take_head(RESPONSES, limits)

    def _take_head(self, heads: HeadCache[_Head], limits: Limits) -> _Head | None:
        # A head is scanned when it has begun and when it is complete, so a slow one costs no more than its bytes.
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
        """Take what belongs to `body`, and make its payload ready; returns its size. Raises what `Body.feed` does."""
        span, used = body.feed(self._data, self._at)
        self._at += used
        self.have -= used
        self._span = span
        size = self.ready = len(span)
        return size

    def read_up_to(self, n: int) -> int:
        """Make at most `n` unread bytes ready; returns their number."""
        at = self._at
        span = self._data[at : at + n]
        size = self.ready = len(span)
        self._at = at + size
        self.have -= size
        self._span = bytes(span) if isinstance(span, bytearray) else span
        return size

    def read_raw(self) -> int:
        """Make all unread bytes ready; returns their number."""
        self._span = bytes(self._data[self._at :])
        self.drop(self.have)
        self.ready = len(self._span)
        return self.ready

    def read_frame(self, frames: FrameReader) -> int:
        """Take the next frame of HTTP/2, or the next piece of one; returns its kind. The bytes of DATA are ready then.
        Raises what `FrameReader.feed` does.
        """
        kind = frames.feed(self._data, self._at)
        size = self.ready = frames.size
        start = self._at + frames.at
        self._span = bytes(self._data[start : start + size]) if size else b""
        self.drop(frames.used)
        return kind

    def write_frame(self, writer: FrameWriter, stream: int, n: int, ended: bool) -> None:
        """Write the first `n` ready bytes as one DATA frame; `ended` says that nothing follows on this stream."""
        n = min(n, self.ready)
        writer.data(stream, self._span[:n], ended)
        self._span = self._span[n:]
        self.ready -= n

    def borrow(self, source: ReadBuffer) -> None:
        """What is ready at `source` is unread here from now on. It may stay where it is until `settle`."""
        self.gather(source)

    def settle(self) -> None:
        """Nothing more is read now: what was borrowed and is still unread becomes this buffer's own."""

    def gather(self, source: ReadBuffer) -> None:
        """Append what is ready at `source` to the unread bytes."""
        data = source.take_ready()
        if data:
            self.fill(data)

    def take_ready(self) -> bytes:
        """The ready bytes, copied."""
        taken = self._span if self.ready else b""
        self.ready = 0
        self._span = b""
        return taken

    def view(self, n: int) -> memoryview:
        """The first `n` unread bytes in place; there must be so many. To be released before any other call here."""
        return memoryview(self._data)[self._at : self._at + n]

    def free_if_empty(self) -> None:
        """An exchange is over: if nothing is left to read, keep no memory."""
        if not self.have:
            self._data = b""
            self._at = 0
