"""One place for a child process: its role, the current process, and how the last one ended.

It knows fork and waitpid, but not why a child is started or ended: that is the supervisor's.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from setproctitle import setproctitle

from lb.process.channel import Line
from lb.process.child_config import ChildConfig
from lb.process.verbs import Verb
from lb.telemetry.process_kind import ProcessKind
from lb.telemetry.stderr import finish_stderr

log = logging.getLogger("lb.control")

# Blocked from the fork until the child has its own handlers: no signal is lost, or handled by the parent's.
HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD})
_SUPERVISORS = frozenset({signal.SIGINT, signal.SIGHUP, signal.SIGUSR2})  # not meant for children


class RolePlace(NamedTuple):
    """The kind of a child, and its number if there are several."""

    kind: ProcessKind
    number: int = 0


@dataclass(frozen=True, slots=True)
class Role:
    """The role of a child.

    `run` gets the child's end of the channel and returns the exit status. It starts with SIGTERM and SIGUSR1 blocked
    and unblocks them when its handlers are installed; SIGINT, SIGHUP and SIGUSR2 are ignored, since a terminal or a
    person sends them to every process and the supervisor decides. `sockets` are the listening sockets that it serves.
    `slot` is the worker's place on the board. `place` identifies the child among the others; `revision` changes a
    running child to this role; without one, a new process replaces it if `settings` have changed.
    """

    title: str
    run: Callable[[socket.socket], int]
    sockets: tuple[socket.socket, ...]
    slot: int | None
    place: RolePlace
    revision: ChildConfig | None = None
    settings: object = None

    @property
    def is_assistant(self) -> bool:
        """Whether it is not a worker: it outlives the workers in a drain, and its crashes do not end the service."""
        return self.place.kind is not ProcessKind.WORKER


@dataclass(slots=True)
class Child:
    """`pid` is 0 while the place is empty; a `retiring` child ends and is not replaced. Times are seconds of the
    monotonic clock; `due` is when to start the next one. `asked` counts the watchdog's pings without an answer.
    `lost_at` is set when its line has ended: from then on it counts as ended; `waits_for_room` is set while the line
    has unsent messages.
    """

    role: Role
    pid: int = 0
    line: Line | None = None
    started: float = 0.0
    ready: bool = False
    early_deaths: int = 0
    retiring: bool = False
    due: float | None = field(default=0.0)
    asked: int = 0
    lost_at: float | None = None
    waits_for_room: bool = False

    def start(self, now: float, forget: Callable[[Child], None]) -> None:
        """Forks; `forget` is called in the child to close what belongs to the parent. Raises OSError if fork fails."""
        ours, theirs = socket.socketpair()
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                _live(self, theirs, forget)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        self.pid, self.line, self.started, self.ready, self.due, self.asked = pid, Line(ours), now, False, None, 0
        self.lost_at, self.waits_for_room = None, False

    def say(self, verb: Verb, rest: str = "", descriptors: Sequence[int] = ()) -> bool:
        """Send a line to the process in this place; returns whether it was sent."""
        try:
            if self.line is None:
                return False
            self.line.send(verb, rest, descriptors)
        except OSError:
            return False
        return True

    def send_signal(self, number: int) -> None:
        if self.pid:
            os.kill(self.pid, number)  # not reaped yet, so the pid is still its own

    def reap(self) -> int | None:
        """The exit status if it has ended (minus the signal's number if one killed it), else None."""
        if not self.pid:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def vacate(self) -> None:
        """The process was reaped: the place is free."""
        self.pid, self.ready, self.lost_at = 0, False, None
        if self.line is not None:
            self.line.close()
            self.line = None


def _live(child: Child, channel: socket.socket, forget: Callable[[Child], None]) -> NoReturn:
    """The whole life of the child; it never returns to the parent's code, not even by an exception."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_IGN if number in _SUPERVISORS else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED - {signal.SIGTERM, signal.SIGUSR1})
        forget(child)
        faulthandler.enable()  # a hanging child reports where, when the watchdog ends it
        setproctitle(f"lb: {child.role.title}")
        status = child.role.run(channel)
    except BaseException:
        log.exception("%s failed", child.role.title)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # output on stderr may be lost; the work is done nevertheless
                status = status or int(stream is sys.stdout)
        finish_stderr()
        os._exit(status)
