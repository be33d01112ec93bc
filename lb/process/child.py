"""One place for a child process: what runs in it, who is in it now, and how the last one ended.

It knows fork and waitpid. It does not know why a child is started or ended: that is the supervisor's.
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
from lb.process.child_config import Revision
from lb.process.verbs import Verb
from lb.telemetry.process_kind import ProcessKind
from lb.telemetry.stderr import finish_stderr

log = logging.getLogger("lb.control")

# Blocked while a child is born, until its own handlers are there: none is lost, and none is handled by the parent's.
HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD})
_SUPERVISORS = frozenset({signal.SIGINT, signal.SIGHUP, signal.SIGUSR2})  # nothing to do with a child


class RolePlace(NamedTuple):
    """What a child is among the others: of which kind, and which of them where there are several."""

    kind: ProcessKind
    number: int = 0


@dataclass(frozen=True, slots=True)
class Role:
    """What a child is for.

    `run` gets the child's end of the channel and returns the exit status. It starts with SIGTERM and SIGUSR1 blocked
    and unblocks them when its handlers are there; SIGINT, SIGHUP and SIGUSR2 are ignored, since a terminal or a person
    sends them to every process and the supervisor decides. `sockets` are the listening sockets that it serves. `slot`
    is the worker's place on the board. `place` is what the child is among the others, however many they are; `revision`
    tells one that is running already to become this; where there is none, a new process takes its place if `settings`
    are no longer the same.
    """

    title: str
    run: Callable[[socket.socket], int]
    sockets: tuple[socket.socket, ...]
    slot: int | None
    place: RolePlace
    revision: Revision | None = None
    settings: object = None

    @property
    def is_assistant(self) -> bool:
        """Whether it is no worker: it outlives those when draining, and its crashes do not end the service."""
        return self.place.kind is not ProcessKind.WORKER


@dataclass(slots=True)
class Child:
    """`pid` is 0 while nobody is in the place; who is `retiring` goes, and nobody follows. Times are seconds of the
    monotonic clock; `due` says when to start the next one. `asked` is how often the watchdog has asked whether it still
    runs, without an answer. `lost_at` is set when its line has ended: from then on it counts as ended;
    `waits_for_room` when the line holds something back.
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
        """Forks; `forget` is called in the child to close what belongs to the parent. OSError when no process can be
        made.
        """
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
        """Say a line to whoever is in the place; whether it went out."""
        try:
            if self.line is None:
                return False
            self.line.send(verb, rest, descriptors)
        except OSError:
            return False
        return True

    def send_signal(self, number: int) -> None:
        if self.pid:
            os.kill(self.pid, number)  # not reaped yet, so the number is still its own

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
    """The child's whole life; it never returns into the parent's code, not even by an exception."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_IGN if number in _SUPERVISORS else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED - {signal.SIGTERM, signal.SIGUSR1})
        forget(child)
        faulthandler.enable()  # one that hangs says where, when it is ended for that
        setproctitle(f"lb: {child.role.title}")
        status = child.role.run(channel)
    except BaseException:
        log.exception("%s failed", child.role.title)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # what is said on stderr may be lost, and the work is done all the same
                status = status or int(stream is sys.stdout)
        finish_stderr()
        os._exit(status)
