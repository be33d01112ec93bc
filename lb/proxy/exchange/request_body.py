"""A request's body on its way to an instance: counted, and kept while it may have to be sent again.

It knows how bodies are read. It does not know to which instance it goes, how often, or any timer: an exchange does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.body import CHUNKED, LENGTH, Body
from lb.http.head import Limits, RequestHead

if TYPE_CHECKING:
    from lb.proxy.io.read_buffer import ReadBuffer
    from lb.proxy.upstream.connection import Upstream

_REPLAY = 65536  # bytes of an idempotent request's body that are kept so that it can be sent again


class RequestBody:
    """One request's body. `received` counts its bytes; `done` means that all of it was read."""

    __slots__ = ("_body", "_replay", "done", "received")

    def __init__(self, head: RequestHead, cap: int, limits: Limits) -> None:
        """For a request with a body of at most `cap` bytes. Raises ProxyError if its declared length is larger (L2)."""
        if head.chunked:
            self._body = Body(CHUNKED, 0, cap, limits)
        elif head.body_length > cap:
            raise ProxyError("request_body_too_large")
        else:
            self._body = Body(LENGTH, head.body_length, -1, limits)
        self._replay: bytes | None = None
        self.received = 0
        self.done = False

    def send(self, source: ReadBuffer, upstream: Upstream, idempotent: bool) -> None:
        """Send what has arrived of the body, or all of it again, after the head. Raises ProxyError."""
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

    def repeatable(self) -> bool:
        """Whether it can be sent again: all of it is kept."""
        return self._replay is not None
