"""A regular file that is open, or whose bytes are in memory because they are few: what responses are made of.

Whoever sends it keeps the object; the descriptor is closed when nobody does. Offsets are always given, so one
descriptor serves any number of responses at once. This file knows no path, and nothing of HTTP.
"""

from __future__ import annotations

import errno
import os
import stat

KEPT = 65536
"""Bytes of the largest file that is kept in memory."""

_SECOND = 1_000_000_000
_FRESH = 2_000_000_000  # nanoseconds: a file that was changed so lately may be changed again without looking so


class NotAFileError(OSError):
    """It is something else than a regular file, of which nobody is told; `is_directory` says what."""

    def __init__(self, *, is_directory: bool) -> None:
        super().__init__(errno.ENOENT, os.strerror(errno.ENOENT))
        self.is_directory = is_directory


class OpenFile:
    """`data` are all of its bytes, None where they are read from `fd`; `modified` is in nanoseconds since 1970,
    `dated` in seconds, and never later than it was opened.
    """

    __slots__ = ("_fresh", "_stamp", "data", "dated", "fd", "modified", "size")

    def __init__(self, fd: int, now: int, before: OpenFile | None = None) -> None:
        """The file of this descriptor, which is taken over; `now` is the time in nanoseconds, `before` what was found
        in the same place last time: what it has read is not read again while nothing has changed.

        Raises NotAFileError, OSError.
        """
        self.fd = fd
        self.data: bytes | None = None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFileError(is_directory=stat.S_ISDIR(status.st_mode))
        self.size = status.st_size
        self.modified = status.st_mtime_ns
        self.dated = min(self.modified, now) // _SECOND
        self._stamp = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        self._fresh = abs(now - max(status.st_mtime_ns, status.st_ctime_ns)) < _FRESH
        if self.size > KEPT:
            return
        if before is not None and before.data is not None and self.is_same(before):
            self.data = before.data
        else:
            self.data = self.read(0, KEPT + 1)
        self.size = len(self.data)
        if self.size <= KEPT:
            os.close(fd)
            self.fd = -1
        else:  # it has grown meanwhile
            self.data = None

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def is_same(self, before: OpenFile) -> bool:
        """Whether nothing has changed since `before` was opened in the same place."""
        return self._stamp == before._stamp and not before._fresh

    def read(self, at: int, size: int) -> bytes:
        """So many bytes, fewer only at the end of the file. Raises OSError."""
        if self.data is not None:
            return self.data[at : at + size]
        found = os.pread(self.fd, size, at)
        while found and len(found) < size:
            more = os.pread(self.fd, size - len(found), at + len(found))
            if not more:
                break
            found += more
        return found


def must_exist(number: int) -> bool:
    """Whether this errno says that there is such a file and it cannot be read; else there is none to be told of."""
    return number not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.ENAMETOOLONG, errno.ENXIO)
