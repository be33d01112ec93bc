"""A request's body on its way to an instance: counted, collected where that is asked for, and kept while it may have to
be sent again.

It knows how bodies are read. It does not know to which instance it goes, how often, or any timer: an exchange does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.body import CHUNKED, LENGTH, Body
from lb.http.head import Limits, RequestHead
from lb.proxy.buffering.body_buffer import BodyBuffer

if TYPE_CHECKING:
    from lb.proxy.io.read_buffer import ReadBuffer
    from lb.proxy.upstream.connection import Upstream

_REPLAY = 65536  # bytes of an idempotent request's body that are kept so that it can be sent again


class RequestBody:
    """One request's body. `received` counts its bytes; `done` means that all of it was read. `buffer` is what has been
    collected of it, None for a body that goes on as it comes.
    """

    __slots__ = ("_body", "_is_answered", "_replay", "buffer", "done", "received")

    def __init__(self, head: RequestHead, cap: int, limits: Limits) -> None:
        """For a request with a body of at most `cap` bytes. Raises ProxyError if its declared length is larger (L2)."""
        if head.chunked:
            self._body = Body(CHUNKED, 0, cap, limits)
        elif head.body_length > cap:
            raise ProxyError("request_body_too_large")
        else:
            self._body = Body(LENGTH, head.body_length, -1, limits)
        self._replay: bytes | None = None
        self.buffer: BodyBuffer | None = None
        self.received = 0
        self.done = self._is_answered = False

    def collect(self, source: ReadBuffer) -> bool:
        """Take what has arrived into the buffer; False if no more should come for now. Raises ProxyError."""
        size = source.read_body(self._body)
        self.received += size
        self.done = self._body.done
        return size == 0 or self.buffer is None or self.buffer.add(source.take_ready())

    def begin_again(self) -> None:
        """Another instance gets it, from its first byte on."""
        if self.buffer is not None:
            self.buffer.rewind()

    def send(self, source: ReadBuffer, upstream: Upstream, idempotent: bool) -> None:
        """Send what has arrived of the body, or all of it again, after the head. Raises ProxyError."""
        if self.buffer is not None and not self._send_collected(upstream):
            return
        if self._replay is not None:
            upstream.piece(self._replay, None)
            return
        body = self._body
        size = source.read_body(body)
        self.received += size
        self.done = body.done
        if body.kind == LENGTH and body.done and idempotent and self.received == size <= _REPLAY:
            self._replay = source.take_ready()
            upstream.piece(self._replay, None)
        else:
            trailers = None
            if body.done:
                trailers = body.trailers or b""
            upstream.body(source, trailers)

    def _send_collected(self, upstream: Upstream) -> bool:
        """Send of the buffer what the instance takes now; whether the rest of the body, which is not there, is next."""
        buffer: BodyBuffer = self.buffer  # type: ignore[assignment]  # asked before
        if not self.done:
            if not buffer.send_first(upstream):
                return False
            self.discard()
            return True
        if not buffer.is_sent():
            buffer.send(upstream)
        if self._is_answered and buffer.is_sent():
            self.discard()
        return False

    def is_unsent(self) -> bool:
        """Whether the instance lacks a part of what was collected."""
        return self.buffer is not None and not self.buffer.is_sent()

    def repeatable(self) -> bool:
        """Whether it can be sent again: all of it is kept."""
        return self._replay is not None or (self.buffer is not None and self.done)

    def answered(self) -> None:
        """It will not be sent again: the instance has answered."""
        self._is_answered = True
        if self.done and not self.is_unsent():
            self.discard()

    def discard(self) -> None:
        """Keep nothing of it in a buffer."""
        if self.buffer is not None:
            self.buffer.close()
            self.buffer = None
