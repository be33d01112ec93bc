"""An instance's response on its way to the client: how its body is framed there, whether it is compressed, how much
went.

It knows the two heads and how bodies are read and framed. It does not know why a response ends early, what becomes of
the connections behind it, or any timer: an exchange does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.http.body import CHUNKED, CLOSE, LENGTH, NONE, Body
from lb.http.etags import clients_tag
from lb.http.head import CONTENT_LENGTH, Limits, RequestHead, ResponseHead, without_fields
from lb.http.negotiate import choose_encoding, is_compressible
from lb.http.transform import encoded, varied, without_digests
from lb.proxy.filters.compress import Encoder, compress_whole, new_encoder
from lb.routing.route import Compression

if TYPE_CHECKING:
    from lb.proxy.http1.connection import Client
    from lb.proxy.upstream.connection import Upstream

# Bytes of a body of known length that are waited for, for a moment, to be compressed as a whole: one write with its
# length told, and an instance that breaks off can still be answered for. An encoder for a stream would hold as much
# memory.
_COLLECTED = 131072


class ResponseBody:
    """One final response. `kind` is how the instance tells the end of the body, and `done` that it was seen; `sent`
    counts the body's bytes as the client gets them; `waiting` says that nothing has gone to the client yet, since all
    of the body may be about to come; `lagging` that something is kept back that `flush` sends on.
    """

    __slots__ = (
        "_chunking",
        "_chunks",
        "_coding",
        "_encoder",
        "_head",
        "_left",
        "_response",
        "_text",
        "done",
        "kind",
        "lagging",
        "sent",
        "waiting",
    )

    def __init__(self, head: RequestHead, response: ResponseHead, limits: Limits) -> None:
        self._head = head
        self._response = response
        self._encoder: Encoder | None = None
        self._coding: bytes | None = None  # of a body that is compressed as a whole
        self._text = b""  # and its head
        self._chunking = self.waiting = self.lagging = self.done = False
        self._chunks: Body | None = None  # takes a chunked body apart
        self._left = self.sent = 0  # to come of a body of known length
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

    def start(self, upstream: Upstream, compression: Compression | None) -> bytes:
        """Decide how the body goes on, and give the head that says so, without Connection and the final line."""
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
            and head.minor == 1
        ):
            kept = self._encode(kept, upstream, compression)
        if head.tagged and response.status in (304, 412) and self._coding is None and self._encoder is None:
            kept = varied(clients_tag(kept, head, () if compression is None else compression.codings))
        if head.minor == 1 and (kind in (CHUNKED, CLOSE) or self._encoder is not None):
            kept += b"Transfer-Encoding: chunked\r\n"
            self._chunking = True
        return kept

    def _has_body_for_get(self) -> bool:
        """Whether this is what would be a response with a body, had the client not asked for its head only."""
        status = self._response.status
        return self._head.method == b"HEAD" and status != 204 and status != 304  # noqa: PLR1714  no tuple

    def ends_by_close(self) -> bool:
        """Whether only the end of the connection tells the client where the body ends: HTTP/1.0 without a length."""
        return self._head.minor == 0 and self.kind in (CHUNKED, CLOSE)

    def relay(self, prefix: bytes, upstream: Upstream, client: Client) -> None:
        """Send on what has come of the body, behind `prefix`. Raises ProxyError for a body that cannot be read."""
        if self._coding is not None:
            self._relay_whole(prefix, upstream, client)
        elif self._encoder is not None:
            self._relay_encoded(prefix, upstream, client, False)
        elif self._chunking:
            size = self._read(upstream)
            self.sent += size
            end = b""
            if size:
                prefix += b"%x\r\n" % size
                end = b"\r\n"
            if self.done:
                end += b"0\r\n" + self._trailers() + b"\r\n"
            client.send_with(prefix, upstream, end)
        elif self.kind == NONE:
            client.send(prefix)
        else:
            self.sent += self._read(upstream)
            client.send_with(prefix, upstream, None)

    def _read(self, upstream: Upstream) -> int:
        """Make ready what has come of the body; so many bytes. Raises ProxyError."""
        if self.kind == LENGTH:
            size = upstream.read_up_to(self._left)
            self._left -= size
            self.done = self._left == 0
        elif self._chunks is not None:
            size = upstream.read_body(self._chunks)
            self.done = self._chunks.done
        else:
            size = upstream.read_raw()
        return size

    def _trailers(self) -> bytes:
        """The field lines behind a chunked body."""
        if self._chunks is None or not self._chunks.trailers:
            return b""
        return self._chunks.trailers if self._encoder is None else without_digests(self._chunks.trailers)

    def end(self, client: Client) -> None:
        """The instance has closed its connection, which ends a body of kind CLOSE."""
        self.done = True
        if self._encoder is not None:
            piece = self._encoder.finish()
            self.sent += len(piece)
            client.send((b"%x\r\n" % len(piece) + piece + b"\r\n" if piece else b"") + b"0\r\n\r\n")
        elif self._chunking:
            client.send(b"0\r\n\r\n")

    def _encode(self, kept: bytes, upstream: Upstream, compression: Compression) -> bytes:
        """Compress the response if it is worth it and the client accepts it (C1): the head that says so."""
        response = self._response
        if 0 <= response.body_length < compression.min_size or not is_compressible(
            response.content_type(), compression.types
        ):
            return kept
        kept = varied(kept)
        coding = choose_encoding(self._head.accept_encoding(), compression.codings)
        if coding is None:
            return kept
        kept = encoded(kept, coding)
        if self.kind == NONE:
            return kept  # HEAD: what GET would get, but for a length that only compressing would tell (RFC 9110 8.6)
        size = response.body_length
        if self.kind == LENGTH and (size <= _COLLECTED or size <= upstream.have):
            self._coding = coding
            self.waiting = self.lagging = size > upstream.have
        else:
            self._encoder = new_encoder(coding)
        return kept

    def _relay_whole(self, prefix: bytes, upstream: Upstream, client: Client) -> None:
        """Once all of the body is here: one call, one length, one write."""
        if prefix:
            self._text = prefix[:-2]  # the length is to come, and then the empty line
        size = self._response.body_length
        if upstream.have < size:
            return
        whole = compress_whole(self._coding, upstream.view(size))  # type: ignore[arg-type]  # asked before
        upstream.drop(size)
        self.done = True
        self.waiting = self.lagging = False
        self.sent = len(whole)
        client.send(b"%bContent-Length: %d\r\n\r\n%b" % (self._text, len(whole), whole))

    def _relay_encoded(self, prefix: bytes, upstream: Upstream, client: Client, flushing: bool) -> None:
        encoder: Encoder = self._encoder  # type: ignore[assignment]  # asked before
        self._read(upstream)
        piece = encoder.compress(upstream.take_ready())
        # What the instance flushed reaches the client now, or in a moment where it is likely that more follows (C3).
        if self.done:
            piece += encoder.finish()
            self.lagging = False
        elif self.kind == LENGTH and not flushing:
            self.lagging = True
        else:
            piece += encoder.flush()
            self.lagging = False
        self.sent += len(piece)
        if piece:
            prefix += b"%x\r\n" % len(piece) + piece + b"\r\n"
        if self.done:
            prefix += b"0\r\n" + self._trailers() + b"\r\n"
        if prefix:
            client.send(prefix)

    def flush(self, upstream: Upstream, client: Client) -> None:
        """Send on what was kept back: the rest of the body takes its time."""
        prefix = b""
        if self._coding is not None:
            self._encoder = new_encoder(self._coding)
            self._coding = None
            self._chunking = True
            self.waiting = False
            prefix = self._text + b"Transfer-Encoding: chunked\r\n\r\n"
            self._text = b""
        self._relay_encoded(prefix, upstream, client, True)

    def is_between_chunks(self) -> bool:
        """Whether the next thing that the client is to read is the size of a chunk."""
        return self._chunking and not self.done
