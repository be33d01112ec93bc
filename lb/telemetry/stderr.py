"""stderr for a service: a slow or missing reader delays nothing.

Everything that Python writes to `sys.stderr` comes here: the log, warnings, tracebacks. A line is written at once if
there is room; else it waits here, up to a limit, and lines beyond are dropped and counted; the count is written when
there is room again. Nothing here raises for a sink that fails. This file knows lines as bytes and one descriptor.

A thread must not hold a lock while its process forks, and the supervisor forks: so it has no thread here, and retries
in its rounds (`flush_stderr`). In its children a thread waits for room, and only while lines are waiting.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import socket
import stat
import sys
from collections import deque
from contextlib import suppress
from threading import RLock, Thread
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STDERR = 2
_MEMORY = 256 * 1024  # bytes of waiting lines
_PIECE = select.PIPE_BUF  # a write of so much, after poll saw room, does not block, and is not mixed with others'
_STEP = 0.2  # seconds between two attempts on a failing sink
_LAST = 1.0  # seconds for the last lines


class Stderr(io.RawIOBase):
    """Sends what is written line by line; `write` never waits, and never raises."""

    def __init__(self, descriptor: int = _STDERR) -> None:
        self._to = descriptor
        self._sink = _Sink(descriptor)
        self._begun = b""
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._is_child = False  # a child never forks, and so may have a thread
        self._thread: Thread | None = None
        self._lock = RLock()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        """Drop what waits: the parent writes it."""
        self._lock = RLock()
        self._thread = None
        self._waiting.clear()
        self._begun, self._size, self._dropped = b"", 0, 0
        self._is_child = True

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._to

    def isatty(self) -> bool:
        return os.isatty(self._to)

    def write(self, data: ReadableBuffer, /) -> int:
        taken = bytes(data)
        with self._lock:
            *lines, self._begun = (self._begun + taken).split(b"\n")
            if len(self._begun) > _MEMORY:
                lines, self._begun = [*lines, self._begun], b""
            for line in lines:
                self._keep(line + b"\n")
            self._send()
        return len(taken)

    def flush(self) -> None:
        """May be called for each line: it does not wait."""

    @property
    def waits(self) -> bool:
        """Whether anything waits for room."""
        return bool(self._waiting)

    def push(self) -> None:
        """Send what waits, as far as there is room."""
        with self._lock:
            self._send()

    def reopen(self) -> None:
        """The descriptor has been replaced."""
        with self._lock:
            self._sink = _Sink(self._to)

    def finish(self, timeout: float = _LAST) -> None:
        """Called before the process exits: waiting lines get `timeout` seconds."""
        until = monotonic() + timeout
        with self._lock:
            if self._begun:
                self._keep(self._begun + b"\n")
                self._begun = b""
            self._send()
        while self._waiting and (left := until - monotonic()) > 0:
            self._sink.wait(min(left, _STEP))
            self.push()

    # With the lock held

    def _keep(self, line: bytes) -> None:
        if self._size + len(line) > _MEMORY:
            self._dropped += 1
            return
        if self._dropped:
            self._tell_dropped()
        self._waiting.append(line)
        self._size += len(line)

    def _tell_dropped(self) -> None:
        said = f"{self._dropped} lines of this log were lost: there was no reader, or the disk was full\n".encode()
        self._waiting.append(said)
        self._size += len(said)
        self._dropped = 0

    def _send(self) -> None:
        while self._waiting:
            data = self._waiting[0]
            sent = self._sink.send(data)
            if sent < len(data):
                self._waiting[0] = data[sent:]
                self._size -= sent
                break
            self._waiting.popleft()
            self._size -= len(data)
            if not self._waiting and self._dropped:
                self._tell_dropped()
        if self._waiting and self._is_child and self._thread is None:
            with suppress(RuntimeError):  # no thread can be started: the next line tries again
                thread = Thread(target=self._wait_for_room, name="stderr", daemon=True)
                thread.start()
                self._thread = thread

    # In the thread

    def _wait_for_room(self) -> None:
        while True:
            self._sink.wait(_STEP)
            with self._lock:
                self._send()
                if not self._waiting:
                    self._thread = None
                    return


class _Sink:
    """A descriptor that never blocks us, though others that share it may expect it to block."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._own = -1  # our own open file of the same pipe or terminal, which does not block
        self._socket: socket.socket | None = None
        self._is_file = False
        with suppress(OSError):
            mode = os.fstat(descriptor).st_mode
            self._is_file = stat.S_ISREG(mode)
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=os.dup(descriptor))
            elif not self._is_file:
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                self._own = os.open(f"/proc/self/fd/{descriptor}", flags)

    def send(self, data: bytes) -> int:
        """Returns how many bytes were taken; all if they can never be written."""
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT)
            if self._is_file:
                return os.write(self._descriptor, data)
            if self._own >= 0:
                return os.write(self._own, data)
            return os.write(self._descriptor, data[:_PIECE]) if self._has_room(0.0) else 0
        except (BlockingIOError, InterruptedError):
            return 0
        except BrokenPipeError:
            return len(data)
        except OSError:
            return 0 if self._is_file else len(data)  # a disk may have room again

    def wait(self, seconds: float) -> None:
        """Wait until there may be room, at most so long."""
        if self._is_file or not self._has_room(seconds):
            select.select([], [], [], seconds if self._is_file else 0.0)

    def _has_room(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))


_installed: list[Stderr] = []


def install_stderr() -> None:
    """Send everything that Python writes to stderr this way; no effect if it goes elsewhere already, or nowhere."""
    before = sys.stderr
    if before is None or _installed:
        return
    with suppress(OSError, ValueError):
        descriptor = before.fileno()
        if before is not sys.__stderr__ and descriptor != _STDERR:
            return
        before.flush()
        raw = Stderr(descriptor)
        sys.stderr = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True, write_through=True)
        _installed.append(raw)
        atexit.register(finish_stderr)


def flush_stderr() -> bool:
    """Send what waits, without blocking; returns whether anything still waits."""
    for one in _installed:
        one.push()
    return any(one.waits for one in _installed)


def reopen_stderr() -> None:
    """Its descriptor has been replaced."""
    for one in _installed:
        one.reopen()


def finish_stderr() -> None:
    """Called before the process exits: waiting lines get a moment."""
    for one in _installed:
        one.finish()
