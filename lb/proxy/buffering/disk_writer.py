"""Files for request bodies, and the thread that writes to them: a disk that is slow, or hangs, does not stop a worker.

A file has no name, so nothing of it is left behind by a crash. It is opened with its first bytes, on the thread, since
that may take long, too. One write of a file is under way at a time; its owner waits to be told before it asks for the
next one.

The directory is that of TMPDIR, if the environment has it; else /var/tmp, which is on a disk, or /tmp.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

_USUAL = ("/var/tmp", "/tmp")  # noqa: S108  what is made there has no name that anybody could guess
_NAMELESS = getattr(os, "O_TMPFILE", 0)
_NOT_HERE = (errno.EISDIR, errno.EOPNOTSUPP)  # no O_TMPFILE from this file system


def directories() -> tuple[str, ...]:
    """Where files for bodies may be: the first that works is taken."""
    chosen = os.environ.get("TMPDIR")
    return (chosen,) if chosen else _USUAL


class UnlinkedFile:
    """A file without a name; `fd` is -1 until something was written."""

    __slots__ = ("fd",)

    def __init__(self) -> None:
        self.fd = -1

    def append(self, data: bytearray) -> None:
        """Write all of `data` behind what is there. Raises OSError."""
        if self.fd < 0:
            self.fd = _open()
        with memoryview(data) as view:
            written = 0
            while written < len(data):
                written += os.write(self.fd, view[written:])

    def close(self) -> None:
        """Give the space on the disk back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open() -> int:
    places = directories()
    for place in places[:-1]:
        with suppress(OSError):
            return _open_in(place)
    return _open_in(places[-1])


def _open_in(directory: str) -> int:
    if _NAMELESS:
        try:
            return os.open(directory, _NAMELESS | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
    fd, name = tempfile.mkstemp(prefix="lb-", dir=directory)
    Path(name).unlink()
    return fd


class Owner(Protocol):
    """Whose bytes are written."""

    @property
    def client(self) -> object:
        """The client that they came from."""

    def written(self, size: int, error: int) -> None:
        """A write of `size` bytes has ended: `error` is 0, or the errno of its failure."""


class DiskWriter:
    """The thread of one worker; it begins with the first write. `on_error` gets the client of an owner that failed."""

    __slots__ = ("_begun", "_loop", "_on_error", "_writes")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[object, Exception], object]) -> None:
        self._loop = loop
        self._on_error = on_error
        self._writes: SimpleQueue[tuple[Owner, UnlinkedFile, bytearray] | None] = SimpleQueue()
        self._begun = False

    def write(self, owner: Owner, file: UnlinkedFile, data: bytearray) -> None:
        """Append `data` to `file`, and tell `owner` when that is done, from the loop."""
        if not self._begun:
            # A daemon: a disk that hangs must not keep the process from ending.
            thread = threading.Thread(target=self._run, name="disk writer", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # the system has no thread to give now; the next write tries again
                self._loop.call_soon(self._tell, owner, len(data), errno.ENOMEM)
                return
            self._begun = True
        self._writes.put((owner, file, data))

    def close(self) -> None:
        """End the thread after what it has been given; it is not waited for."""
        self._writes.put(None)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # those are for the loop's thread
        while (write := self._writes.get()) is not None:
            owner, file, data = write
            error = 0
            try:
                file.append(data)
            except OSError as failure:
                error = failure.errno or errno.EIO
            except MemoryError:
                error = errno.ENOMEM
            try:
                self._loop.call_soon_threadsafe(self._tell, owner, len(data), error)
            except RuntimeError:  # the loop is closed: the worker ends
                return

    def _tell(self, owner: Owner, size: int, error: int) -> None:
        try:
            owner.written(size, error)
        except Exception as failure:  # noqa: BLE001 - a fault of one exchange must not cost the others theirs
            self._on_error(owner.client, failure)
