"""Where TLS records begin in what a peer sends, and how many of them have brought no data.

It looks at record headers only: the contents are encrypted, and the reader reports the data in them. Knows neither
sockets nor OpenSSL. Where OpenSSL is on the socket itself, `openssl.h` does this.
"""

from __future__ import annotations

_HEAD = 5  # type, version, length (RFC 8446 section 5.1)
_SHORT_HEAD = 2  # of a client hello in the form of SSL 2.0, which may only be the first record
_AT_ONCE = 64  # records per turn: each is work, whatever it carries
# Bytes of data that make up for one record without any; besides, each record of data makes up for one, however short.
_WORTH = 64


class RecordCounter:
    """`barren` counts the records whose data, if any, has not been read, and which other data has not made up for."""

    __slots__ = ("_left", "barren")

    def __init__(self) -> None:
        self._left = 0  # bytes missing of the record that has begun
        self.barren = 0

    def admit(self, cipher: bytes, most: int) -> int:
        """How many of these bytes, which follow those admitted before, are for one turn: `most` of them, unless that is
        too many records. A header stays whole.
        """
        end = min(len(cipher), most)
        at = min(self._left, end)
        self._left -= at
        for _ in range(_AT_ONCE):
            size = _whole_size(cipher, at, end)
            if not size:
                break
            self.barren += 1
            if size > end - at:
                self._left = size - (end - at)
                return end
            at += size
        return at

    def goes_on(self, cipher: bytes) -> bool:
        """Whether any of these bytes, which follow those admitted, can be admitted without more after them."""
        return bool(_whole_size(cipher, 0, len(cipher)) or (self._left and cipher))

    def has_read(self, size: int) -> None:
        """All data of one record was read; the record itself was counted, too."""
        self.barren = max(self.barren - 2 - size // _WORTH, 0)


def _whole_size(cipher: bytes, at: int, end: int) -> int:
    """The size of the record that begins there, with its header; 0 if its header is incomplete."""
    if end - at >= _SHORT_HEAD and cipher[at] & 0x80:
        return _SHORT_HEAD + ((cipher[at] & 0x7F) << 8 | cipher[at + 1])
    if end - at >= _HEAD:
        return _HEAD + (cipher[at + 3] << 8 | cipher[at + 4])
    return 0
