"""How an HTTP/1 message is framed on its way out, to a client or to an instance.

A head goes out together with the first bytes of its body, in one write. A body of unknown length is sent in chunks (RFC
9112 7.1), with its trailers after the last one. This file knows no field but what framing needs, and no connection
but as a `FileSender`, which is a `Wire`.
"""

from __future__ import annotations

from lb.proxy.io.file_sender import FileSender
from lb.proxy.io.read_buffer import ReadBuffer


class MessageWriter(FileSender):
    """A connection that messages are written to. Has no `__init__` of its own: another call per connection."""

    __slots__ = ("_chunking", "_opening")

    _chunking: bool  # the body of this message is sent in chunks, and has not ended
    _opening: bytes  # a head that is yet to be sent

    def set_up(self) -> None:
        FileSender.set_up(self)
        self.begin(b"", False)

    def begin(self, head: bytes, chunked: bool) -> None:
        """Begin a message with this head."""
        self._opening = head
        self._chunking = chunked

    def body(self, source: ReadBuffer, trailers: bytes | None) -> None:
        prefix = self._opening
        self._opening = b""
        if not self._chunking:
            self.send_with(prefix, source, None)
            return
        end = b""
        size = source.ready
        if size:
            prefix += b"%x\r\n" % size
            end = b"\r\n"
        if trailers is not None:
            end += b"0\r\n" + trailers + b"\r\n"
            self._chunking = False
        self.send_with(prefix, source, end)

    def piece(self, data: bytes, trailers: bytes | None) -> None:
        text = self._opening
        self._opening = b""
        if self._chunking:
            if data:
                text += b"%x\r\n" % len(data) + data + b"\r\n"
            if trailers is not None:
                text += b"0\r\n" + trailers + b"\r\n"
                self._chunking = False
        else:
            text += data
        if text:
            self.send(text)

    def transfer(self, file: int, at: int, size: int) -> int:
        head = self._opening
        self._opening = b""
        return self.send_file(head, file, at, size)
