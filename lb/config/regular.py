"""Reads files that people name, only regular ones, so that lb never waits for a pipe, a device or a terminal.

The configuration may also come from a pipe, such as a shell's `<(...)`, if all of it arrives soon. This file knows only
the file system.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from time import monotonic

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LARGEST = 64 << 20  # bytes; more than any file that is read whole
_SOON = 5.0  # seconds

_KINDS = (
    (stat.S_ISDIR, errno.EISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISFIFO, errno.EINVAL, "it is a pipe, not a regular file"),
    (stat.S_ISSOCK, errno.EINVAL, "it is a socket, not a regular file"),
    (stat.S_ISCHR, errno.EINVAL, "it is a device, not a regular file"),
    (stat.S_ISBLK, errno.EINVAL, "it is a device, not a regular file"),
)


def read_regular(path: str | os.PathLike[str], most: int = _LARGEST) -> bytes:
    """The content of a regular file, or its first `most` bytes. Raises OSError, at once for anything else."""
    descriptor = os.open(path, _FLAGS)
    try:
        mode = os.fstat(descriptor).st_mode
        for is_kind, number, words in _KINDS:
            if is_kind(mode):
                raise OSError(number, words, str(path))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most)
    finally:
        os.close(descriptor)


def read_soon(path: str | os.PathLike[str], most: int, timeout: float = _SOON) -> bytes:
    """Like `read_regular`, but also reads a pipe whose writer ends within `timeout` seconds. Raises OSError."""
    descriptor = os.open(path, _FLAGS)
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return _read_pipe(descriptor, str(path), most, monotonic() + timeout)
    finally:
        os.close(descriptor)
    return read_regular(path, most)


def _read_pipe(descriptor: int, path: str, most: int, until: float) -> bytes:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    pieces: list[bytes] = []
    size = 0
    while size < most and poll.poll(max(until - monotonic(), 0.0) * 1000):
        piece = os.read(descriptor, most - size)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        size += len(piece)
    if size < most:
        raise TimeoutError(errno.ETIMEDOUT, "it is a pipe, and its writer did not end in time", path)
    return b"".join(pieces)
