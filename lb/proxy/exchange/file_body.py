"""The body of a response that is made of a file: which of its bytes go, in what order, between what else.

One part is the whole file or a range of it; several ranges have lines between them. A body that is compressed on its
way is read piece by piece. It knows the file and the client's side, and sends as much as that takes; when to go on, and
what becomes of a response that cannot go on, is for the exchange to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.proxy.filters.compress import Encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lb.proxy.downstream import Downstream
    from lb.proxy.files.open_file import OpenFile

Part = bytes | tuple[int, int]
"""Bytes that were made here, or where a part of the file begins and how long it is."""

_PIECE = 65536  # bytes that are read to be compressed, before others have their turn


class FileBody:
    """The parts of one response. `sent` counts the bytes that went, `done` says that all have."""

    __slots__ = ("_at", "_encoder", "_file", "_left", "_parts", "done", "sent")

    def __init__(self, file: OpenFile, parts: Sequence[Part], encoder: Encoder | None) -> None:
        self._file = file
        self._parts = list(parts)[::-1]
        self._encoder = encoder
        self._at = self._left = 0  # of the part that is under way
        self.sent = 0
        self.done = False

    def send(self, client: Downstream) -> None:
        """Send as much as the client's side takes now: unless it is done then, `client_drained` says when to go on.

        Raises ProxyError for a file that ends before it should: file_not_readable.
        """
        if self._encoder is not None:
            self._send_encoded(self._encoder, client)
            return
        while self._left or self._parts:
            if not self._left and not self._begin_part(client):
                continue
            if not self._move(client):
                return
        self.done = True
        client.piece(b"", b"")

    def _begin_part(self, client: Downstream) -> bool:
        """Begin with the next part; False where it has gone already."""
        part = self._parts.pop()
        if isinstance(part, tuple):
            if self._file.data is None:
                self._at, self._left = part
                return True
            part = self._file.data[part[0] : part[0] + part[1]]
        self.sent += len(part)
        client.piece(part, None)
        return False

    def _move(self, client: Downstream) -> bool:
        """Send of the part that is under way; whether it has gone as a whole."""
        moved = client.transfer(self._file.fd, self._at, self._left)
        if moved < 0:
            raise ProxyError("file_not_readable", "it became shorter while it was sent")
        self._at += moved
        self._left -= moved
        self.sent += moved
        return self._left == 0

    def _send_encoded(self, encoder: Encoder, client: Downstream) -> None:
        if client.full:
            return
        size = min(self._file.size - self._at, _PIECE)
        try:
            data = self._file.read(self._at, size)
        except OSError:
            data = b""
        if len(data) < size:
            raise ProxyError("file_not_readable", "it became shorter while it was sent")
        self._at += size
        piece = encoder.compress(data)
        trailers = None
        if self._at == self._file.size:
            piece += encoder.finish()
            trailers = b""
            self.done = True
        self.sent += len(piece)
        client.piece(piece, trailers)
        if not self.done:
            client.give_way()
