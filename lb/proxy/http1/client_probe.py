"""Finds out whether a client that shut its side of the connection is still there.

A client may shut its side after its request and wait for the answer, or it may have left: both look the same to TCP, a
FIN. A client that has left answers the next byte with a reset. So it is sent a byte that it would get anyway: of the
status line, whose beginning is the same whatever the answer, or a zero before the size of the next chunk (RFC 9112
7.1: a size is 1*HEXDIG). The client still reads one well-formed response.

This file knows what may be sent, and how much of it was; an exchange knows when that is due, and where the response
stands.
"""

from __future__ import annotations

FIRST = 1.0
"""Seconds after which a client that shut its side is probed; many answers have arrived by then."""

AGAIN = 10.0
"""Seconds between two probes."""

_BEGINNING = b"HTTP/1.1 "
_ZEROS = 4  # in all: readers limit the digits of a size, the strictest known to 8


class ClientProbe:
    """What was sent ahead of one response."""

    __slots__ = ("_begun", "_zeros")

    def __init__(self) -> None:
        self._begun = 0  # bytes sent of the status line
        self._zeros = 0

    def of_status_line(self) -> bytes:
        """The next byte of a status line that has not begun otherwise; empty if all that is known of it was sent."""
        at = self._begun
        byte = _BEGINNING[at : at + 1]
        self._begun += len(byte)
        return byte

    def of_chunk_size(self) -> bytes:
        """A zero before the size of the next chunk, or of the last; empty if enough of them were sent."""
        if self._zeros == _ZEROS:
            return b""
        self._zeros += 1
        return b"0"

    def rest(self, head: bytes) -> bytes:
        """The part of a response's head that is still to be sent. Until it is, another head may replace it."""
        return head[self._begun :]

    def begin_again(self) -> None:
        """An interim response was sent: another status line follows."""
        self._begun = 0
