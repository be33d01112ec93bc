"""The supervisor: keeps every child's place filled, and ends the children in order. One thread, no event loop, no HTTP.

It waits for two things only: signals, which the C-level handler turns into bytes on a socket, and lines from its
children. It has three states: running → draining (no place is filled again, the workers finish their requests) →
stopping (requests are cut). After an upgrade it retires: like draining, but a successor serves the same sockets.

A child that dies is replaced at once, one that hangs is killed (`watchdog`), and one whose line ends counts as dead
(`strays`). An exception in one step is logged, and the next round runs nevertheless. Only the replacement of a child
that dies within a second of its start waits, a little longer each time; after five such deaths of a worker in a row,
the service ends with the reason instead of restarting it for ever.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from setproctitle import setproctitle

from lb.control import restart_policy
from lb.control.api.operations import Operations
from lb.control.api.systemd import Notifier
from lb.control.ending import Ending
from lb.control.reload.coordinator import Reload
from lb.control.reload.steps import NoPlans, Plans, ReloadOutcome
from lb.control.strays import GRACE, Strays
from lb.control.watchdog import Watchdog
from lb.process.background_job import BackgroundJobs
from lb.process.channel import Message
from lb.process.child import Child, Role
from lb.process.every import RepeatedFailures
from lb.process.orphans import adopts_orphans, reap_orphans
from lb.process.scoreboard import Board
from lb.process.verbs import Verb
from lb.process.wording import death_in_words, lifetime
from lb.telemetry.process_kind import ProcessKind
from lb.telemetry.stderr import flush_stderr

log = logging.getLogger("lb.control")

_GRACE = 2.0  # seconds from "stop at once" to SIGKILL
# Seconds in which a repeated signal counts as one: a wrapper that passes on Ctrl-C adds one to the terminal's.
_ECHO = 0.005
_CHUNK = 4096
_UNSAID = 0.5  # seconds until output that stderr did not take is tried again
_NEVER = 1e6
_BREATH = 0.1  # seconds until the next step after a failed one


@dataclass(frozen=True, slots=True)
class Stopping:
    """The signals that end the service."""

    signals: frozenset[signal.Signals] = frozenset({signal.SIGTERM, signal.SIGINT})


class Supervisor:
    """Runs the roles until a signal ends it; `announce_ready` is called once, when every child serves, and `notifier`
    reports that and later changes to the service manager. `operations` handles other requests, `plans` provides changed
    configurations for `reload`, `ending` knows how long workers may take to end; `replaced` is called for each child
    that is replaced after its death.
    """

    def __init__(  # noqa: PLR0913  children, and all that influence them
        self,
        roles: Sequence[Role],
        board: Board,
        announce_ready: Callable[[], None],
        stopping: Stopping | None = None,
        notifier: Notifier | None = None,
        operations: Operations | None = None,
        *,
        plans: Plans | None = None,
        watchdog: Watchdog | None = None,
        ending: Ending | None = None,
        replaced: Callable[[Role], None] = lambda _: None,
    ) -> None:
        self.children = [Child(role) for role in roles]
        self._board = board
        self._announce_ready = announce_ready
        self._stopping = stopping or Stopping()
        self._notifier = notifier or Notifier()
        self._operations = operations
        self._plans = plans or NoPlans()
        self._watchdog = watchdog or Watchdog()
        self._ending = ending or Ending()
        self._replaced = replaced
        self.reload = Reload(self._plans, self, self._notifier)
        self._announced = False
        self._retiring = False
        self._drains_since = 0.0
        self._released: list[tuple[Child, Callable[[], None]]] = []  # callbacks that wait for an assistant's end
        self._kill_at: float | None = None  # set: stopping; children left at that time are killed
        self._status = 0
        self._selector = selectors.DefaultSelector()
        self._strays = Strays()
        self._failures = RepeatedFailures()
        self._errands = BackgroundJobs(self._forget)
        self.send = self._errands.send
        self._wakeup, self._signalled = socket.socketpair()
        self._adopts_orphans = adopts_orphans()

    def run(self) -> int:
        """Returns the exit status: 0 after a drain in which every worker ended normally, else 1."""
        with self._signals():
            while True:
                self._try(self._fill_places)
                self._try(self._watch_lines)
                for key, _ in self._selector.select(self._timeout()):
                    self._try(key.data)
                for step in (self._reap, self._errands.reap, self._child_ended, self._adopt, self._meet_deadlines):
                    self._try(step)
                if self._board.draining and self._drained():
                    if self._operations is not None:
                        self._operations.end()
                    return self._status

    def _try(self, step: Callable[[], object]) -> None:
        """One step of a round; an exception must not end the service, nor repeat without a pause."""
        try:
            step()
        except Exception as error:  # noqa: BLE001
            self._failures.tell("a step of the supervisor", error)
            time.sleep(_BREATH)

    def _adopt(self) -> None:
        if self._adopts_orphans:
            reap_orphans(self._own_processes())

    def _child_ended(self) -> None:
        if self._operations is not None:
            self._operations.child_ended()

    # Signals

    @contextmanager
    def _signals(self) -> Iterator[None]:
        for end in (self._wakeup, self._signalled):
            end.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._take_signals)
        if self._operations is not None:
            self._operations.begin(self._selector, self)
        # SIGCHLD and the rest need a handler, however empty, for the wake-up byte to be written.
        numbers = (*self._stopping.signals, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        wakeup_before = signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            self._wakeup.close()
            self._signalled.close()

    def _take_signals(self) -> None:
        for number in self._wakeup.recv(_CHUNK):
            if number in self._stopping.signals:
                self._stop_asked(signal.Signals(number).name)
            elif number == signal.SIGUSR1:
                self._send_all(signal.SIGUSR1)
            elif number == signal.SIGHUP:
                log.info("SIGHUP: reloading the configuration")
                self.change(lambda _: None)
            elif number == signal.SIGUSR2 and self._operations is not None:
                self._operations.upgrade()

    def _stop_asked(self, name: str) -> None:
        if self._board.draining and not self._retiring:
            if time.monotonic() < self._drains_since + _ECHO:
                return
            log.info("%s again: stopping at once", name)
            self._status = 1
            self._stop()
        else:
            log.info(
                "%s: draining: running requests finish within %s (timeouts.drain), new ones are refused; "
                "a second signal stops at once",
                name,
                lifetime(self._ending.drain_limit),
            )
            self._drain()

    # For operations

    def refusal(self) -> str:
        """Why there can be no upgrade now, or ""."""
        if self._board.draining:
            return "the service is being stopped"
        if not self._announced:
            return "the service is still starting"
        return "a reload is under way" if self.reload.running else ""

    def change(self, done: Callable[[ReloadOutcome], None]) -> None:
        """Reload the configuration; `done` gets the outcome."""
        if self._operations is not None and self._operations.upgrading:
            log.error("not reloaded: an upgrade is under way, which reads the configuration, too")
            done(ReloadOutcome(("an upgrade is under way, which reads the configuration, too",)))
        else:
            self.reload.request(done)

    def retire(self, successor: int) -> None:
        """Process `successor` serves the same sockets: finish what is open, and end."""
        log.info("process %d serves now; this one finishes its requests and ends", successor)
        setproctitle("lb: supervisor, retiring")
        self._retiring = True
        self._notifier.main_process(successor)
        self._begin_end()
        if self._operations is not None:
            self._operations.end()
        for child in self.children:
            if child.role.is_assistant or not (child.retiring or child.say(Verb.RETIRE)):
                child.send_signal(signal.SIGTERM)
            elif not child.retiring:
                self._ending.retire(child, time.monotonic())

    def release(self, kind: ProcessKind, done: Callable[[], None]) -> None:
        """End the assistant of this kind, and close its listening sockets, for the next service; only while draining.
        `done` is called when it has ended.
        """
        assistant = next((child for child in self.children if child.pid and child.role.place.kind is kind), None)
        if assistant is None or not assistant.role.is_assistant:
            done()
            return
        self._released.append((assistant, done))
        for sock in assistant.role.sockets:
            sock.close()
        assistant.send_signal(signal.SIGTERM)

    # Children

    def _fill_places(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.due is not None and child.due <= now:
                self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        try:
            child.start(now, self._forget)
        except OSError as error:
            log.error("%s cannot be started: %s", child.role.title, error.strerror)  # noqa: TRY400  no traceback helps here
            restart_policy.after_failure(child, now)
            self._end_if_hopeless(child)
            return
        if child.role.slot is not None:
            self._board.fill(child.role.slot, child.pid)
        if child.line is not None:
            self._selector.register(child.line, selectors.EVENT_READ, partial(self._listen_to, child))
        self.reload.started(child)

    def _forget(self, newborn: Child) -> None:
        """In the child: closes foreign sockets and the parent's ends, or the siblings would never see the supervisor
        end.
        """
        self._selector.close()
        self._wakeup.close()
        self._signalled.close()
        if self._operations is not None:
            self._operations.forget()
        for child in self.children:
            if child.line is not None:
                child.line.close()
            for sock in child.role.sockets:
                if sock not in newborn.role.sockets:
                    sock.close()
        self.reload.forget(newborn.role)
        self._errands.forget()

    def _listen_to(self, child: Child) -> None:
        if child.line is None:
            return
        try:
            with suppress(OSError):  # the end of the line is noticed below
                child.line.flush()
            messages = child.line.receive()
        except EOFError:
            self._selector.unregister(child.line)  # it is ending; SIGCHLD follows, or else `_lost`
            child.line.close()
            child.line = None
            child.lost_at = time.monotonic() + GRACE
            return
        for message in messages:
            self._heard(child, message)

    def _watch_lines(self) -> None:
        """Also waits for room on lines with unsent messages."""
        for child in self.children:
            if child.line is not None and child.line.is_full != child.waits_for_room:
                child.waits_for_room = child.line.is_full
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.waits_for_room else 0)
                self._selector.modify(child.line, events, partial(self._listen_to, child))

    def _count_out(self, now: float) -> None:
        """Frees the places of children that live although their line ended a while ago."""
        for child in self.children:
            if child.lost_at is None or child.lost_at > now:
                continue
            child.lost_at = None
            if not child.pid or child.retiring or self._board.draining:
                continue  # it is ending anyway
            self._strays.take(child, now)
            pid, lived = child.pid, now - child.started
            if child.role.slot is not None:
                self._board.clear(child.role.slot)
            self.reload.died(child)
            child.vacate()
            restart_policy.after_death(child, now, lived)
            log.error(
                "%s (pid %d) has lost its line to the supervisor although it lives. It may finish its requests; %s",
                child.role.title,
                pid,
                restart_policy.in_words(child, now),
            )
            self._end_if_hopeless(child)

    def _heard(self, child: Child, message: Message) -> None:
        if message.verb is Verb.READY:
            self._became_ready(child)
        elif message.verb is Verb.PONG:
            child.asked = 0
        elif message.verb is Verb.CERTIFICATES:
            self._try(self._plans.read_certificates)  # other processes read them themselves
            for other in self.children:
                if other is not child:
                    other.say(Verb.CERTIFICATES)
        elif message.verb is Verb.MISSING:
            self._tell(ProcessKind.CERTIFICATES, Verb.MISSING, message.rest)
        elif message.verb is Verb.DENIED:
            self._tell(ProcessKind.WORKER, Verb.DENIED, message.rest)
        elif message.verb is Verb.WANTED:
            self._tell(ProcessKind.HEALTH, Verb.WANTED, message.rest)
        elif message.verb is Verb.OPEN:
            self._ending.heard(child, message.rest)
        else:
            self.reload.heard(child, message)

    def _tell(self, kind: ProcessKind, verb: Verb, rest: str = "") -> None:
        """Send this to every process of a kind."""
        for child in self.children:
            if child.role.place.kind is kind:
                child.say(verb, rest)

    def _became_ready(self, child: Child) -> None:
        child.ready = True
        if child.role.slot is not None:
            self._board.set_ready(child.role.slot)
        if (child.early_deaths or self._announced) and not child.retiring:
            log.info("%s (pid %d) serves", child.role.title, child.pid)
        if child.role.place.kind is ProcessKind.CERTIFICATES:
            self._tell(ProcessKind.WORKER, Verb.MISSING)  # its predecessor may have been asked for some
        if not self._announced and not self._board.draining and self._all_ready():
            self._announced = True
            if self._operations is not None:
                self._operations.service_serves()
            self._announce_ready()
            self._notifier.ready(_in_words(self._board.serving))

    def _all_ready(self) -> bool:
        return all(child.ready for child in self.children if not child.retiring)

    def add_role(self, role: Role) -> None:
        """Add a place for this role."""
        self.children.append(Child(role))

    def remove(self, child: Child) -> None:
        """Let it finish and end; its place is removed."""
        child.retiring, child.due = True, None
        if child.role.is_assistant or not child.say(Verb.RETIRE, "accepting"):
            child.send_signal(signal.SIGTERM)
        elif child.pid:
            self._ending.retire(child, time.monotonic())
        if not child.pid:
            self.children.remove(child)

    def _reap(self) -> None:
        for child in list(self.children):
            status = child.reap()
            if status is not None:
                self._died(child, status)
        self._strays.reap()

    def _own_processes(self) -> set[int]:
        """Processes that are reaped where they were started."""
        others = set() if self._operations is None else {self._operations.successor}
        return {child.pid for child in self.children} | self._errands.pids | self._strays.pids | others

    def _died(self, child: Child, status: int) -> None:
        now = time.monotonic()
        pid, lived = child.pid, now - child.started
        if child.line is not None:
            self._selector.unregister(child.line)
        if child.role.slot is not None:
            self._board.clear(child.role.slot)
        self.reload.died(child)
        self._ending.gone(pid)
        child.vacate()
        if child.retiring:
            self.children.remove(child)
        if self._board.draining:
            if status:
                log.warning("%s (pid %d) %s while stopping", child.role.title, pid, death_in_words(status))
                if not child.role.is_assistant:
                    self._status = 1  # an assistant serves no clients
            for waiting in [one for one in self._released if one[0] is child]:
                self._released.remove(waiting)
                waiting[1]()
            return
        if child.retiring:
            if status or not child.role.is_assistant:
                how = death_in_words(status) if status else "finished its requests and ended"
                log.info("%s (pid %d), which had retired, %s", child.role.title, pid, how)
            return
        self._replaced(child.role)
        restart_policy.after_death(child, now, lived)
        log.error(
            "%s (pid %d) %s. It had run for %s; %s",
            child.role.title,
            pid,
            death_in_words(status),
            lifetime(lived),
            restart_policy.in_words(child, now),
        )
        self._end_if_hopeless(child)

    def _end_if_hopeless(self, child: Child) -> None:
        if restart_policy.is_hopeless(child):
            log.critical(
                "%s ended within %.0f s of its start %d times in a row; giving up. The lines above say why",
                child.role.title,
                restart_policy.EARLY,
                child.early_deaths,
            )
            self._status = 1
            self._drain()

    # The end

    def _drain(self) -> None:
        self._retiring = False
        self._drains_since = time.monotonic()
        self._notifier.stopping("draining: running requests finish", self._ending.drain_limit + _GRACE)
        self._begin_end()
        if self._operations is not None:
            self._operations.drain()
        workers = [child for child in self.children if child.pid and not child.role.is_assistant]
        for child in workers:
            child.send_signal(signal.SIGTERM)
        self._ending.drain(workers, self._drains_since)

    def _begin_end(self) -> None:
        """From now on no place is filled, nothing is changed, and no client is accepted."""
        self._board.drain()
        self.reload.end()
        for child in self.children:
            child.due = None
            if not child.role.is_assistant:
                for sock in child.role.sockets:
                    sock.close()  # the port closes with the worker's copy: new clients are refused, not left waiting

    def _stop(self) -> None:
        """A message stops a worker at once, since SIGTERM may also come from elsewhere; SIGKILL follows."""
        self._kill_at = self._ending.kill_at(time.monotonic(), _GRACE)
        for child in self.children:
            if child.role.is_assistant or not child.say(Verb.STOP):
                child.send_signal(signal.SIGTERM)
        self._strays.send_signal(signal.SIGTERM)

    def _drained(self) -> bool:
        """Whether all children have ended; assistants are told to end after the last worker."""
        left = [child for child in self.children if child.pid]
        if left and not self._strays and self._kill_at is None and all(child.role.is_assistant for child in left):
            self._stop()
        return not left and not self._strays

    def _send_all(self, number: signal.Signals) -> None:
        for child in self.children:
            child.send_signal(number)
        self._strays.send_signal(number)

    # Time

    def _timeout(self) -> float:
        """Seconds until the next thing is due."""
        due = [at for child in self.children for at in (child.due, child.lost_at) if at is not None]
        own = (self._strays, self._notifier, self.reload, self._watchdog, self._errands, self._ending)
        others = (*own, self._operations)
        dates = (self._kill_at, *(one.due for one in others if one is not None))
        due += [at for at in dates if at is not None]
        longest = _UNSAID if flush_stderr() else _NEVER
        return min(longest, max(0.0, min(due) - time.monotonic()))

    def _meet_deadlines(self) -> None:
        now = time.monotonic()
        self._notifier.beat(now)
        self._count_out(now)
        self._strays.expire(now)
        if self._operations is not None:
            self._operations.meet_deadlines(now)
        self.reload.expire(now)
        self._errands.expire(now)
        self._watchdog.look(self.children, now, busy=self.reload.keeps_busy)
        if self._ending.look(self.children, now) and self._kill_at is None:
            log.warning("draining took longer than %s: stopping", lifetime(self._ending.drain_limit))
            self._stop()
        if self._kill_at is not None and self._kill_at <= now:
            self._kill_at = now + _GRACE
            self._send_all(signal.SIGKILL)


def _in_words(workers: int) -> str:
    return "1 worker serves" if workers == 1 else f"{workers} workers serve"
