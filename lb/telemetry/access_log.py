"""The access log's way to its sink: the loop collects lines, one thread writes them, and no response waits for a disk.

This file knows lines as bytes, batches and descriptors. It does not know what is in a line, when it is flushed, or why
the log is reopened. `AccessLog` is the loop's side; `_Writer` is the thread's. They share a queue and a few values of
which each has one writer, so neither ever waits for the other.

A sink can be stuck (a full pipe), gone (a pipe without reader), full (a disk), or never have existed (a closed stdout).
If a reader may come back, `_MEMORY` bytes are kept, and anything beyond is dropped and counted. What a disk refuses is
dropped and counted at once, and no partial line stays in the file: another process would append its own to it. The next
lines are still tried.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

from lb.telemetry.sink_trouble import SinkTrouble

log = logging.getLogger("lb.access_log")

_MEMORY = 4 * 1024 * 1024
_LONG = 1000  # lines
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
_MODE = 0o640  # it contains personal data: client addresses

_FIRST_PAUSE = 0.05  # seconds between two attempts, doubled each time
_LONGEST_PAUSE = 2.0
_ROOM_TIMEOUT = 100  # milliseconds that the thread sleeps in poll before it checks for changes
_STUCK = 2.0  # seconds without room after which a sink counts as stuck
# A reader may come, or come back; every other error is the disk's, and lasts.
_READERLESS = frozenset((errno.EPIPE, errno.ENXIO))
_UNREAD = "it has no reader"
_GRACE = 0.5  # seconds past its deadline in which the thread has certainly noticed


class AccessLog:
    """The access log of one process, made after the fork; with `format` "off" it discards everything.

    `path` is a file or a named pipe, or "-" for stdout; raises OSError if the file cannot be opened. `append` takes a
    line with its newline and costs next to nothing; no thread is started before the first `flush`. All methods must be
    called from one thread.
    """

    __slots__ = ("_bytes", "_count", "_dropped", "_lines", "_trouble", "_writer", "append")

    def __init__(self, path: str, format: str) -> None:  # noqa: A002 - the configuration's word
        self._lines: list[bytes] = []
        self._bytes = 0  # handed to the writer so far
        self._count = 0  # likewise, in lines
        self._dropped = 0
        self._trouble = SinkTrouble(path)
        self._writer = None if format == "off" else _Writer(path)
        # The list's own method: a line costs no Python call.
        self.append: Callable[[bytes], None] = _swallow if self._writer is None else self._lines.append

    @property
    def dropped(self) -> int:
        """Lines that were lost: too many for a stuck sink, or left when the log was closed."""
        return self._dropped + (0 if self._writer is None else self._writer.lines_lost)

    def flush(self) -> None:
        """Hand what was appended to the writer; never waits."""
        lines, writer = self._lines, self._writer
        if writer is None:
            return
        if lines:
            batch, count = b"".join(lines), len(lines)
            lines.clear()
            if self._bytes - writer.bytes_done + len(batch) > _MEMORY:
                self._dropped += count
                writer.is_behind = True
            else:
                self._bytes += len(batch)
                self._count += count
                writer.submit(batch, count)
        self._trouble.look(writer.reason, self.dropped)

    def flush_if_long(self) -> None:
        """As `flush`, if too much has been appended to wait for the next one."""
        if len(self._lines) >= _LONG:
            self.flush()

    def reopen(self) -> None:
        """Go on in a new file of the same name, after the old one was renamed; no effect for stdout."""
        if self._writer is not None:
            self._writer.reopen()

    def close(self, timeout: float) -> None:
        """Write what is left, for about `timeout` seconds; what the sink has not taken by then is dropped."""
        self.flush()
        if self._writer is not None:
            self._writer.close(timeout)
            self._dropped += self._count - self._writer.lines_done
            self._count = self._writer.lines_done
            self._trouble.look(self._writer.reason, self.dropped)


def _swallow(line: bytes) -> None:
    """The `append` of a log that is off."""


class _Writer:
    """One sink and the thread that writes to it.

    `bytes_done` and `lines_done` have left the queue for good; `lines_lost` of them were not written.
    """

    def __init__(self, path: str) -> None:
        self.bytes_done = 0
        self.lines_done = 0
        self.lines_lost = 0
        self.is_behind = False  # lines are lost because earlier ones are not written yet
        self._failure = ""  # set by the thread: why the last write failed
        self._path = path
        self._batches: SimpleQueue[tuple[bytes, int] | None] = SimpleQueue()  # None is the end
        self._thread: Thread | None = None
        self._deadline: float | None = None
        self._wake = Event()  # ends a pause early: there is a new file, or an end
        self._pause = _FIRST_PAUSE
        self._reopen = False
        self._hopeless = False
        self._descriptor: int | None = None
        self._is_file = self._torn = False
        self._open()

    # The loop's side.

    @property
    def reason(self) -> str:
        """Why lines cannot be written at present, "" if they can."""
        return self._failure or ("it is too slow" if self.is_behind else "")

    def submit(self, batch: bytes, count: int) -> None:
        self._batches.put((batch, count))
        if self._thread is None:
            thread = Thread(target=self._run, name="access log", daemon=True)
            with suppress(RuntimeError):  # no thread can be started now: the next batch tries again
                thread.start()
                self._thread = thread

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
            try:
                self.lines_lost += self._write(batch)
            except Exception:
                log.exception("%d lines of the access log could not be written", count)
                self.lines_lost += count
            self.lines_done += count
            self.bytes_done += len(batch)
            self.is_behind = self.is_behind and not self._batches.empty()
        self._close_descriptor()

    def _write(self, batch: bytes) -> int:
        """Write a batch, however long the reader takes; returns how many of its lines were given up."""
        at, stuck_at = 0, monotonic() + _STUCK
        while at < len(batch):
            if self._hopeless:
                return batch.count(b"\n", at)
            try:
                written = self._write_piece(memoryview(batch)[at:])
            except (BlockingIOError, InterruptedError):
                written = 0  # other writers were quicker
                self._rest_a_while()
            except OSError as error:
                self._reopen = True  # a new descriptor may show the change first
                if error.errno not in _READERLESS:
                    self._failure = error.strerror or str(error)
                    return self._take_back(batch, at)
                self._failure = _UNREAD
                written = 0
                self._rest_a_while()
            if written:
                at += written
                self._pause, self._failure, stuck_at = _FIRST_PAUSE, "", monotonic() + _STUCK
            elif self._deadline is not None and monotonic() > self._deadline:
                self._hopeless = True
            elif monotonic() > stuck_at and not self._failure:
                self._failure = _UNREAD
            if at == 0 or batch[at - 1 : at] == b"\n":
                self._reopen_if_due()  # not in the middle of a line: its halves would be in two files
        return 0

    def _take_back(self, batch: bytes, at: int) -> int:
        """The disk takes no more than `at` bytes of the batch: remove a partial line. Returns how many of its lines are
        not written.
        """
        begun = at - (batch.rfind(b"\n", 0, at) + 1)
        if begun and self._is_file and self._descriptor is not None:
            with suppress(OSError):
                end = os.lseek(self._descriptor, 0, os.SEEK_CUR)  # after what was just appended
                if os.fstat(self._descriptor).st_size == end:
                    os.ftruncate(self._descriptor, end - begun)
                    begun = 0
        if begun:
            self._torn = True
        return batch.count(b"\n", at)

    def _rest_a_while(self) -> None:
        self._wake.wait(self._pause if self._deadline is None else _FIRST_PAUSE)
        self._wake.clear()
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _write_piece(self, rest: memoryview) -> int:
        """Write what fits at once; 0 if there was no room for a while. Raises OSError."""
        if self._descriptor is None:
            raise OSError(errno.ENXIO, "no reader")
        if self._is_file:
            if self._torn:  # a partial line is there that could not be removed: at least end it here
                os.write(self._descriptor, b"\n")
                self._torn = False
            return os.write(self._descriptor, rest)
        # The pipe may be a blocking one with other writers, too: only a write of at most PIPE_BUF bytes neither blocks
        # after poll saw room, nor is mixed with another's. It should be whole lines.
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        if not poll.poll(_ROOM_TIMEOUT):
            return 0
        piece = rest[: select.PIPE_BUF].tobytes()
        return os.write(self._descriptor, piece[: piece.rfind(b"\n") + 1] or piece)

    def _reopen_if_due(self) -> None:
        """Change to a new descriptor if requested, and keep the old one if that fails; then it stays due."""
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
                now = self._descriptor
                self._torn = self._torn and now is not None and os.path.sameopenfile(old, now)
                os.close(old)

    def _open(self) -> None:
        """Open the sink. Raises OSError, except for a named pipe without a reader: that stays due."""
        if self._path == "-":
            # If stdout was closed at start, its number may be reused later. A copy is safe from that.
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
