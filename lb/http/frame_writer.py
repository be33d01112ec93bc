"""Writes the frames of HTTP/2 (RFC 9113 section 6) for one connection, one after another, until they are taken.

Heads are given as lines of HTTP/1. This file knows how a frame looks; it does not know when one may be sent, nor where
the bytes go. The compiled twin is `frame_writer.pyx`.
"""

from __future__ import annotations

from lb.http.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    MOST_IN_A_FRAME,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from lb.http.hpack_encoder import NO_TABLE, encode_fields, encode_request, encode_response


class FrameWriter:
    """Frames that wait to be taken: `pending` bytes."""

    __slots__ = ("_begun", "_out")

    def __init__(self) -> None:
        self._out = bytearray()
        self._begun = False

    @property
    def pending(self) -> int:
        return len(self._out)

    def take(self) -> bytes:
        """All of them; there are none afterwards."""
        taken = bytes(self._out)
        self._out.clear()
        return taken

    # Messages

    def response(self, stream: int, lines: bytes, more: bytes, ended: bool) -> None:
        """A response's head, from its status line and field lines, and more field lines."""
        self._block(stream, encode_response(lines, more), ended)

    def request(self, stream: int, head: bytes, scheme: bytes, more: bytes, ended: bool) -> None:
        """A request's head, from its request line and field lines, and more field lines."""
        self._block(stream, encode_request(head, scheme, more), ended)

    def trailers(self, stream: int, lines: bytes) -> None:
        """The end of a message, with these field lines."""
        if lines:
            self._block(stream, encode_fields(lines), True)
        else:
            self.data_head(stream, 0, True)

    def _block(self, stream: int, block: bytes, ended: bool) -> None:
        if not self._begun:
            self._begun = True
            block = NO_TABLE + block
        kind = HEADERS
        flags = END_STREAM if ended else 0
        while len(block) > MOST_IN_A_FRAME:
            self._frame(kind, flags, stream, block[:MOST_IN_A_FRAME])
            block = block[MOST_IN_A_FRAME:]
            kind = CONTINUATION
            flags = 0
        self._frame(kind, flags | END_HEADERS, stream, block)

    def data(self, stream: int, payload: bytes, ended: bool) -> None:
        """A piece of a body, of at most 16 KiB."""
        self.data_head(stream, len(payload), ended)
        self._out += payload

    def data_head(self, stream: int, size: int, ended: bool) -> None:
        """The beginning of a frame whose payload is sent apart, after it."""
        if size > MOST_IN_A_FRAME:
            raise ValueError("a frame would be too large")
        self._head(size, DATA, END_STREAM if ended else 0, stream)

    # The rest

    def settings(self, entries: tuple[tuple[int, int], ...]) -> None:
        """Identifiers and values."""
        self._frame(
            SETTINGS, 0, 0, b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in entries)
        )

    def settings_ack(self) -> None:
        """The peer's settings hold."""
        self._frame(SETTINGS, ACK, 0, b"")

    def ping(self, payload: bytes, ack: bool) -> None:
        """Eight bytes of ours, or those of the peer's PING."""
        if len(payload) != 8:
            raise ValueError("a PING has eight bytes")
        self._frame(PING, ACK if ack else 0, 0, payload)

    def goaway(self, last_stream: int, code: int, debug: bytes) -> None:
        """No stream after this one is served."""
        self._frame(GOAWAY, 0, 0, last_stream.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)

    def reset(self, stream: int, code: int) -> None:
        """The stream is over."""
        self._frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))

    def window_update(self, stream: int, increment: int) -> None:
        """The peer may send so many bytes more."""
        self._frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self._head(len(payload), kind, flags, stream)
        self._out += payload

    def _head(self, size: int, kind: int, flags: int, stream: int) -> None:
        self._out += size.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
