"""The access log's way to its sink: the loop collects lines, one thread writes them, and no response waits for a disk.

This file knows lines as bytes, batches and descriptors. It does not know what is in a line, when it is flushed, or why
the log is to be reopened. `AccessLog` is the loop's side; `_Writer` is the thread's. They share a queue and a few
values of which each has one writer, so neither ever waits for the other.

A sink can be stuck (a full pipe), gone (a pipe without reader), full (a disk), or never have been there (a closed
stdout). The writer keeps trying, `_MEMORY` bytes are kept meanwhile, and what comes on top is dropped and counted.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

_MEMORY = 16 * 1024 * 1024
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
_MODE = 0o640  # it holds people's addresses

_FIRST_PAUSE = 0.05  # seconds between two attempts, doubled each time
_LONGEST_PAUSE = 2.0
_ROOM_PATIENCE = 100  # milliseconds that the thread sleeps in poll before it looks up
_GRACE = 0.5  # seconds past its deadline in which the thread has certainly looked up


class AccessLog:
    """The access log of one process, made after the fork; with `format` "off" it swallows everything.

    `path` is a file or a named pipe, or "-" for stdout; raises OSError if the file cannot be opened. `append` takes a
    line with its newline and costs next to nothing; no thread is started before the first `flush`. All methods are for
    one thread.
    """

    __slots__ = ("_bytes", "_count", "_dropped", "_lines", "_writer", "append")

    def __init__(self, path: str, format: str) -> None:  # noqa: A002 - the configuration's word
        self._lines: list[bytes] = []
        self._bytes = 0  # handed to the writer so far
        self._count = 0  # likewise, lines
        self._dropped = 0
        self._writer = None if format == "off" else _Writer(path)
        # The list's own method: a line costs no Python call.
        self.append: Callable[[bytes], None] = _swallow if self._writer is None else self._lines.append

    @property
    def dropped(self) -> int:
        """Lines that were lost: too many for a stuck sink, or left over when the log was closed."""
        return self._dropped + (0 if self._writer is None else self._writer.lines_lost)

    def flush(self) -> None:
        """Hand what was appended to the writer; never waits."""
        lines = self._lines
        if not lines or self._writer is None:
            return
        batch, count = b"".join(lines), len(lines)
        lines.clear()
        if self._bytes - self._writer.bytes_done + len(batch) > _MEMORY:
            self._dropped += count
            return
        self._bytes += len(batch)
        self._count += count
        self._writer.submit(batch, count)

    def reopen(self) -> None:
        """Go on in a new file of the same name, the old one having been renamed; nothing for stdout."""
        if self._writer is not None:
            self._writer.reopen()

    def close(self, timeout: float) -> None:
        """Write what is left, for about `timeout` seconds; what the sink has not taken by then is dropped."""
        self.flush()
        if self._writer is not None:
            self._writer.close(timeout)
            self._dropped += self._count - self._writer.lines_done
            self._count = self._writer.lines_done


def _swallow(line: bytes) -> None:
    """What `append` is for a log that is off."""


class _Writer:
    """One sink and the thread that writes to it.

    `bytes_done` and `lines_done` have left the queue for good; `lines_lost` of them were not written.
    """

    def __init__(self, path: str) -> None:
        self.bytes_done = 0
        self.lines_done = 0
        self.lines_lost = 0
        self._path = path
        self._batches: SimpleQueue[tuple[bytes, int] | None] = SimpleQueue()  # None is the end
        self._thread: Thread | None = None
        self._deadline: float | None = None
        self._wake = Event()  # ends a pause early: there is a new file, or an end
        self._pause = _FIRST_PAUSE
        self._reopen = False
        self._hopeless = False
        self._descriptor: int | None = None
        self._is_file = False
        self._open()

    # The loop's side.

    def submit(self, batch: bytes, count: int) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="access log", daemon=True)
            self._thread.start()
        self._batches.put((batch, count))

    def reopen(self) -> None:
        self._reopen = True
        if self._thread is None:
            self._reopen_if_due()
        else:
            self._wake.set()
            self._batches.put((b"", 0))

    def close(self, timeout: float) -> None:
        if self._thread is None:
            self._close_descriptor()
            return
        self._deadline = monotonic() + timeout
        self._wake.set()
        self._batches.put(None)
        # A thread that hangs in a write to a blocking pipe is left behind: it is a daemon and ends with the process.
        self._thread.join(timeout + _GRACE)

    # The thread's side.

    def _run(self) -> None:
        while (item := self._batches.get()) is not None:
            batch, count = item
            self._reopen_if_due()
            self.lines_lost += self._write(batch).count(b"\n")
            self.lines_done += count
            self.bytes_done += len(batch)
        self._close_descriptor()

    def _write(self, batch: bytes) -> bytes:
        """Write a batch, however long the sink makes it wait; what had to be given up is returned."""
        rest = memoryview(batch)
        while rest and not self._hopeless:
            try:
                written = self._write_piece(rest)
            except OSError:
                # The disk is full or the reader is gone: that may mend itself, and a new descriptor may see it first.
                written = 0
                self._reopen = True
                self._rest_a_while()
            if written:
                rest = rest[written:]
                self._pause = _FIRST_PAUSE
            elif self._deadline is not None and monotonic() > self._deadline:
                self._hopeless = True
            self._reopen_if_due()
        return rest.tobytes()

    def _rest_a_while(self) -> None:
        self._wake.wait(self._pause if self._deadline is None else _FIRST_PAUSE)
        self._wake.clear()
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _write_piece(self, rest: memoryview) -> int:
        """Write what can be written at once; 0 if there was no room for a while. Raises OSError."""
        if self._descriptor is None:
            raise OSError(errno.ENXIO, "nobody reads")
        if self._is_file:
            return os.write(self._descriptor, rest)
        # The pipe may be a blocking one that other workers write to as well: only a write of at most PIPE_BUF bytes
        # neither blocks after poll saw room, nor is mixed with another's. It should be whole lines.
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(_ROOM_PATIENCE):
            return 0
        piece = rest[: select.PIPE_BUF].tobytes()
        return os.write(self._descriptor, piece[: piece.rfind(b"\n") + 1] or piece)

    def _reopen_if_due(self) -> None:
        """Change to a new descriptor if asked to, and keep the old one if that fails; then it stays due."""
        if not self._reopen or self._path == "-":
            return
        self._reopen = False
        old = self._descriptor
        try:
            self._open()
        except OSError:
            self._reopen = True
        else:
            if old is not None and old != self._descriptor:
                os.close(old)

    def _open(self) -> None:
        """Open the sink. Raises OSError, except for a named pipe that nobody reads yet: that stays due."""
        if self._path == "-":
            # If stdout was closed at start, something else has its number by now. A copy is safe from that later on.
            self._hopeless = sys.__stdout__ is None
            descriptor = None if self._hopeless else os.dup(1)
        else:
            try:
                descriptor = os.open(self._path, _FLAGS, _MODE)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                self._reopen = True
                return
        self._is_file = descriptor is not None and stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._descriptor = descriptor

    def _close_descriptor(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
