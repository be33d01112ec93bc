"""Starts a successor of this supervisor: the program as it is installed now, on the same listening sockets.

One attempt is one `Upgrade`. It ends in one of two ways: the successor reports that it serves, or it fails and has
ended. The supervisor decides what this process does then; nothing here affects its work.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from lb.control.upgrade.handover import READY, Handover
from lb.process.wording import death_in_words

TIMEOUT = 60.0  # seconds for the successor to serve
_CHUNK = 65536
_MOST_SAID = 16384  # bytes of a failed successor's stderr that are kept for the answer
_STDERR = 2
_LAST_WAIT = 2.0  # seconds for a killed successor to end


class Upgrade:
    """Either `on_success` or `on_failure` is called, once; the latter with the reason in words, and the successor's
    exit status if it has one.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        on_success: Callable[[int], None],
        on_failure: Callable[[str, int | None], None],
    ) -> None:
        self._selector = selector
        self._on_success = on_success
        self._on_failure = on_failure
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._stderr = -1
        self._said = b""
        self._heard = b""
        self.due: float | None = None  # the deadline for serving, in seconds of the monotonic clock

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def start(self, legacy: Handover) -> None:
        """Starts the successor; call `look` whenever a child may have ended, `meet_deadlines` at `due`.

        Raises OSError if no process can be started.
        """
        ours, theirs = socket.socketpair()
        ours.send(legacy.tickets)  # does not block: there is room
        reading, writing = os.pipe()
        stderr = os.dup(_STDERR)
        try:
            self._process = subprocess.Popen(  # noqa: S603  the command line of this process, and nothing else
                [sys.executable or sys.orig_argv[0], *sys.orig_argv[1:]],
                stderr=writing,
                pass_fds=(*legacy.descriptors(), theirs.fileno(), stderr),
                env=legacy.environment(os.environ, theirs.fileno(), stderr),
            )
        except OSError:
            ours.close()
            os.close(reading)
            raise
        finally:
            legacy.close()
            theirs.close()
            os.close(writing)
            os.close(stderr)
        ours.setblocking(False)
        os.set_blocking(reading, False)
        self._line, self._stderr = ours, reading
        self.due = time.monotonic() + TIMEOUT
        self._selector.register(ours, selectors.EVENT_READ, self._hear)
        self._selector.register(reading, selectors.EVENT_READ, self._relay)

    def look(self) -> None:
        """Checks whether the successor has ended."""
        if self._process is None or self._process.poll() is None or self._line is None:
            return
        status = self._process.returncode
        self._hear()
        if self._line is not None:
            self._relay()
            self._fail(f"it {death_in_words(status)}", status if status >= 0 else None)

    def meet_deadlines(self, now: float) -> None:
        if self.due is not None and self.due <= now:
            self.give_up(f"it did not serve within {TIMEOUT:.0f} s")

    def give_up(self, reason: str) -> None:
        """Ends a successor that does not serve yet."""
        if self._process is not None and self._line is not None:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):  # one that hangs in the kernel is not waited for
                self._process.wait(_LAST_WAIT)
            self._relay()
            self._fail(reason, None)

    def forget(self) -> None:
        """In a child: closes what is the supervisor's alone."""
        if self._line is not None:
            self._line.close()
        if self._stderr >= 0:
            os.close(self._stderr)

    def _hear(self) -> None:
        assert self._line is not None  # noqa: S101  it is registered
        try:
            data = self._line.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._heard += data
        if self._heard == READY:
            self._relay()
            self._on_success(self.pid)
            self._close()  # tells the successor that it is the service now
        elif not data:
            self._stop_hearing()  # it is ending; SIGCHLD follows

    def _stop_hearing(self) -> None:
        assert self._line is not None  # noqa: S101  there is an attempt
        with suppress(KeyError):
            self._selector.unregister(self._line)

    def _relay(self) -> None:
        """Passes on its stderr, and keeps the end of it."""
        while self._stderr >= 0:
            try:
                data = os.read(self._stderr, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                self._selector.unregister(self._stderr)
                os.close(self._stderr)
                self._stderr = -1
                return
            self._said = (self._said + data)[-_MOST_SAID:]
            with suppress(OSError):
                sys.stderr.write(data.decode("utf-8", "backslashreplace"))

    def _fail(self, reason: str, status: int | None) -> None:
        self._close()
        said = self._said.decode("utf-8", "replace").strip()
        self._on_failure(f"{reason}\n{said}" if said else f"{reason}; the service's log says why", status)

    def _close(self) -> None:
        self.due = None
        if self._line is not None:
            self._stop_hearing()
            self._line.close()
            self._line = None
        if self._stderr >= 0:
            self._selector.unregister(self._stderr)
            os.close(self._stderr)
            self._stderr = -1
