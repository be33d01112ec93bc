"""A response's body on its way to the client: how it is read, whether it is compressed, how much was sent.

It knows the two heads and how bodies are read, from any source. It does not know how they are written, why a response
ends early, what becomes of the connections behind it, or any timer: an exchange does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.http.body import CHUNKED, CLOSE, LENGTH, NONE, Body
from lb.http.etags import clients_tag
from lb.http.head import CONTENT_LENGTH, Limits, RequestHead, ResponseHead, without_fields
from lb.http.negotiate import choose_encoding, is_compressible
from lb.http.transform import encoded, varied, without_digests
from lb.proxy.filters.compress import Encoder, compress_whole, has_room, new_encoder
from lb.routing.compression import Compression

if TYPE_CHECKING:
    from lb.proxy.downstream import Downstream
    from lb.proxy.io.read_buffer import ReadBuffer

# Bodies of known length up to this many bytes are collected for a moment and compressed as a whole: one write with a
# known length, and an instance that breaks off can still be answered for. A streaming encoder would hold as much
# memory.
_COLLECTED = 131072


class ResponseBody:
    """One final response. `kind` is how the instance marks the end of the body, and `done` that it was seen; `sent`
    counts the body's bytes as the client gets them; `streamed` says that their number is unknown when the head goes,
    `lacks_length` that the head is held until it is known; `waiting` that nothing has been sent to the client yet,
    since all of the body may be about to arrive; `lagging` that something is held back that `flush` sends.
    """

    __slots__ = (
        "_chunks",
        "_coding",
        "_date",
        "_encoder",
        "_head",
        "_left",
        "_lines",
        "_persistent",
        "_response",
        "done",
        "kind",
        "lacks_length",
        "lagging",
        "sent",
        "streamed",
        "waiting",
    )

    def __init__(self, head: RequestHead, response: ResponseHead, limits: Limits) -> None:
        self._head = head
        self._response = response
        self._encoder: Encoder | None = None
        self._coding: bytes | None = None  # of a body that is compressed as a whole
        self._lines = self._date = b""  # and its head
        self._persistent = self.streamed = self.lacks_length = self.waiting = self.lagging = self.done = False
        self._chunks: Body | None = None  # decodes a chunked body
        self._left = self.sent = 0  # bytes missing of a body of known length
        self.kind = self._framing(limits)

    def _framing(self, limits: Limits) -> int:
        """How the instance frames the body (RFC 9112 6.3)."""
        response = self._response
        status = response.status
        if status == 204 or status == 304 or self._head.method == b"HEAD":  # noqa: PLR1714  no tuple
            self.done = True
            return NONE
        if response.chunked:
            self._chunks = Body(CHUNKED, 0, -1, limits, True)
            return CHUNKED
        if response.body_length >= 0:
            self._left = response.body_length
            self.done = self._left == 0
            return LENGTH
        return CLOSE

    def start(self, source: ReadBuffer, compression: Compression | None, can_stream: bool) -> bytes:
        """Decide how the body goes on, and return the lines of the head that says so, without the length of a body that
        is compressed as a whole. `can_stream` says whether the client accepts a body of unknown length.
        """
        response = self._response
        head = self._head
        kept = response.kept
        kind = self.kind
        if response.status == 204 and response.body_length >= 0:
            kept = without_fields(kept, CONTENT_LENGTH)
        if (
            compression is not None
            and response.type_size
            and (kind != NONE or self._has_body_for_get())
            and not (response.encoded or response.ranged or response.no_transform or head.ranged)
            and can_stream
        ):
            kept = self._encode(kept, source, compression)
        elif response.status == 304 and compression is not None and can_stream and self._may_be_encoded(compression):
            kept = varied(kept)  # as for the 200 that it stands for (RFC 9110 15.4.5)
        if head.tagged and response.status in (304, 412) and self._coding is None and self._encoder is None:
            kept = varied(clients_tag(kept, head, () if compression is None else compression.codings))
        self.streamed = can_stream and (kind in (CHUNKED, CLOSE) or self._encoder is not None)
        return kept

    def hold(self, lines: bytes, date: bytes, persistent: bool) -> None:
        """Keep the head until its length is known."""
        self._lines = lines
        self._date = date
        self._persistent = persistent

    def _has_body_for_get(self) -> bool:
        """Whether this response to HEAD would have a body if the client had sent GET."""
        status = self._response.status
        return self._head.method == b"HEAD" and status != 204 and status != 304  # noqa: PLR1714  no tuple

    def _may_be_encoded(self, compression: Compression) -> bool:
        """Whether the response that a 304 stands for would be compressed, as far as the 304 tells."""
        response = self._response
        return not (
            response.encoded
            or response.no_transform
            or 0 <= response.body_length < compression.min_size
            or (response.type_size and not is_compressible(response.content_type(), compression.types))
        )

    def ends_by_close(self, client: Downstream) -> bool:
        """Whether only the end of the connection tells the client where the body ends."""
        return self.kind in (CHUNKED, CLOSE) and not client.can_stream

    def relay(self, source: ReadBuffer, client: Downstream) -> None:
        """Send on what has arrived of the body. Raises ProxyError for a body that cannot be read."""
        if self._coding is not None:
            self._relay_whole(source, client)
        elif self._encoder is not None:
            self._relay_encoded(source, client, False)
        elif self.kind == NONE:
            client.piece(b"", b"")
        else:
            self.sent += self._read(source)
            trailers = None
            if self.done:
                trailers = b"" if self._chunks is None else self._trailers()
            client.body(source, trailers)

    def _read(self, source: ReadBuffer) -> int:
        """Make ready what has arrived of the body; returns the number of bytes. Raises ProxyError."""
        if self.kind == LENGTH:
            size = source.read_up_to(self._left)
            self._left -= size
            self.done = self._left == 0
        elif self._chunks is not None:
            size = source.read_body(self._chunks)
            self.done = self._chunks.done
        else:
            size = source.read_raw()
        return size

    def _trailers(self) -> bytes:
        """The field lines after a chunked body."""
        if self._chunks is None or not self._chunks.trailers:
            return b""
        return self._chunks.trailers if self._encoder is None else without_digests(self._chunks.trailers)

    def end(self, client: Downstream) -> None:
        """The instance has closed its connection, which ends a body of kind CLOSE."""
        self.done = True
        piece = b""
        if self._encoder is not None:
            piece = self._encoder.finish()
            self.sent += len(piece)
        client.piece(piece, b"")

    def _encode(self, kept: bytes, source: ReadBuffer, compression: Compression) -> bytes:
        """Compress the response if it is worth it and the client accepts it (C1); returns the head that says so."""
        response = self._response
        if 0 <= response.body_length < compression.min_size or not is_compressible(
            response.content_type(), compression.types
        ):
            return kept
        kept = varied(kept)
        coding = choose_encoding(self._head.accept_encoding(), compression.codings)
        if coding is None:
            return kept
        if self.kind == NONE:
            # HEAD: what GET would get, without a length that only compressing would tell (RFC 9110 8.6)
            return encoded(kept, coding)
        size = response.body_length
        is_whole = self.kind == LENGTH and (size <= _COLLECTED or size <= source.have)
        if not is_whole and not has_room():
            return kept
        kept = encoded(kept, coding)
        if is_whole:
            self._coding = coding
            self.lacks_length = True
            self.waiting = self.lagging = size > source.have
        else:
            self._encoder = new_encoder(coding)
        return kept

    def _relay_whole(self, source: ReadBuffer, client: Downstream) -> None:
        """Once all of the body has arrived: one call, one length, one write."""
        size = self._response.body_length
        if source.have < size:
            return
        whole = compress_whole(self._coding, source.view(size))  # type: ignore[arg-type]  # asked before
        source.drop(size)
        self.done = True
        self.waiting = self.lagging = False
        self.sent = len(whole)
        client.head(self._lines + b"Content-Length: %d\r\n" % len(whole), self._date, self._persistent, False)
        client.piece(whole, b"")

    def _relay_encoded(self, source: ReadBuffer, client: Downstream, flushing: bool) -> None:
        encoder: Encoder = self._encoder  # type: ignore[assignment]  # asked before
        self._read(source)
        piece = encoder.compress(source.take_ready())
        trailers = None
        # What the instance flushed reaches the client now, or in a moment if more is likely to follow (C3).
        if self.done:
            piece += encoder.finish()
            trailers = self._trailers()
            self.lagging = False
        elif self.kind == LENGTH and not flushing:
            self.lagging = True
        else:
            piece += encoder.flush()
            self.lagging = False
        self.sent += len(piece)
        client.piece(piece, trailers)

    def flush(self, source: ReadBuffer, client: Downstream) -> None:
        """Send what was held back: the rest of the body takes its time."""
        if self._coding is not None:
            self._encoder = new_encoder(self._coding)
            self._coding = None
            self.waiting = False
            self.streamed = True
            client.head(self._lines, self._date, self._persistent, True)
            self._lines = b""
        self._relay_encoded(source, client, True)
