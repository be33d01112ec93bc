"""The body of one request, collected before an instance is chosen: in memory, and from 64 KiB on in a file.

It knows where its bytes are and how they go on to an instance, once, again, or as the first part of a body that is
still coming. Why they are collected, and who waits for them, is for the exchange to know.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.proxy.buffering.disk_writer import UnlinkedFile
from lb.proxy.buffering.request_buffers import RequestBuffers

if TYPE_CHECKING:
    from collections.abc import Callable

    from lb.proxy.upstream.connection import Upstream

KEPT = 65536
"""Bytes of one body that stay in memory."""

_PIECE = 65536  # bytes that are read back at once, where they have to be
_PIECES = 16  # of them, before others have their turn


class BodyBuffer:
    """`size` counts the bytes, `is_writing` says that some of them are on their way to the disk; until they have
    arrived, nothing can be sent. `when_written` is called then, with 0 or an errno; `client` is the one they came from.
    """

    __slots__ = (
        "_buffers",
        "_file",
        "_is_closed",
        "_limit",
        "_memory",
        "_sent",
        "_stored",
        "_when_written",
        "client",
        "is_writing",
        "size",
    )

    def __init__(
        self, buffers: RequestBuffers, limit: int, client: object, when_written: Callable[[int], object]
    ) -> None:
        """`limit` is that of `limits.buffered`."""
        self._buffers = buffers
        self._limit = limit
        self.client: object | None = client
        self._when_written: Callable[[int], object] | None = when_written
        self._memory = bytearray()  # what is not in the file
        self._file = UnlinkedFile()
        self._stored = self._sent = self.size = 0  # in the file, gone to the instance, in all
        self.is_writing = self._is_closed = False

    def add(self, data: bytes) -> bool:
        """Keep `data`; False if no more should come before `when_written` is called. Raises ProxyError:
        buffer_limit_reached.
        """
        self._memory += data
        self.size += len(data)
        self._buffers.hold(len(data))
        if len(self._memory) <= KEPT and not (self._buffers.is_crowded() and self._memory):
            return True
        if self.is_writing:
            return False
        self._write()
        return True

    def _write(self) -> None:
        data = self._memory
        self._buffers.take_disk(len(data), self._limit)
        self._memory = bytearray()
        self.is_writing = True
        self._buffers.writer.write(self, self._file, data)

    def written(self, size: int, error: int) -> None:
        """The disk has taken so many bytes, or refused them."""
        self.is_writing = False
        self._stored += size
        self._buffers.let_go(size)
        if self._is_closed:
            self._give_back()
        elif self._when_written is not None:
            self._when_written(error)

    def go_on(self) -> None:
        """Write what has come meanwhile, if it is much. Raises ProxyError as `add` does."""
        if len(self._memory) > KEPT and not self.is_writing:
            self._write()

    def rewind(self) -> None:
        """Send all of it again."""
        self._sent = 0

    def send(self, upstream: Upstream) -> bool:
        """Send what the instance takes now of all of it, after the head, which goes by itself if there is no byte;
        whether that was the rest. Otherwise `upstream_drained` says when to go on. Raises ProxyError.
        """
        while self._sent < self._stored:
            moved = upstream.transfer(self._file.fd, self._sent, self._stored - self._sent)
            if moved < 0:
                raise _unreadable()
            self._sent += moved
            if self._sent < self._stored:
                return False
        if self._memory:
            upstream.piece(bytes(self._memory), None)
        self._sent = self.size
        return True

    def send_first(self, upstream: Upstream) -> bool:
        """The same for the first part of a body that goes on in chunks."""
        for _ in range(_PIECES):
            if self._sent >= self._stored:
                break
            if upstream.full:
                return False
            data = self._read_back()
            upstream.piece(data, None)
            self._sent += len(data)
        if self._sent < self._stored:
            upstream.give_way()
            return False
        if self._memory:
            upstream.piece(bytes(self._memory), None)
        self._sent = self.size
        return True

    def _read_back(self) -> bytes:
        try:
            data = os.pread(self._file.fd, min(_PIECE, self._stored - self._sent), self._sent)
        except OSError:
            data = b""
        if not data:
            raise _unreadable()
        return data

    def is_sent(self) -> bool:
        """Whether the instance's connection has all of it."""
        return self._sent == self.size

    def close(self) -> None:
        """Nobody needs it any more."""
        if not self._is_closed:
            self._is_closed = True
            self.client = self._when_written = None
            self._buffers.let_go(len(self._memory))
            self._memory = bytearray()
            if not self.is_writing:
                self._give_back()

    def _give_back(self) -> None:
        self._file.close()
        if self._stored:
            self._buffers.give_disk_back(self._stored)
            self._stored = 0


def _unreadable() -> ProxyError:
    return ProxyError("proxy_internal_error", "the buffered request body could not be read back")
