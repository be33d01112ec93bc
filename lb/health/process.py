"""The health process: checks instances, looks up their names, and writes the results to the health table.

It serves no clients and decides nothing about requests. If it dies, the workers keep using the table, and the
supervisor starts another one, which continues from the table.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lb.config.plan import ConfiguredInstance, HealthPlan, Plan
from lb.health.check import ask
from lb.health.deployments import Deployments
from lb.health.dns import LOOKUPS, ResolvedName, by_environment, look_up, place
from lb.health.last_resort import LastResort
from lb.health.probe import Probe, ProbeTarget
from lb.health.schedule import Schedule, jittered, tell_failure
from lb.health.targets import subjects
from lb.process.assistant import AssistantChannel, prepare_assistant
from lb.process.channel import Message
from lb.process.child_config import ChildConfig
from lb.process.every import RepeatedFailures, every
from lb.process.loop import new_loop
from lb.process.reload_participant import BackgroundThread, ReloadParticipant
from lb.process.scoreboard import Board
from lb.process.verbs import Verb
from lb.routing.health_table import HealthTable
from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.paced_lines import PacedLines

_AT_ONCE = 500  # checks
_FIRST_RATE = 500.0  # checks started per second when very many start together
_SOON = 1.0  # seconds until a name without any address is looked up again


@dataclass(frozen=True, slots=True)
class HealthAssignment:
    """Everything that the health process inherits; `file` is the configuration's, if there is one."""

    plan: HealthPlan
    table: HealthTable
    file: Path | None
    board: Board
    deployed: DeployedFigures


def run_health(assignment: HealthAssignment, line: socket.socket) -> int:
    """Works until SIGTERM or the supervisor's death; returns the exit status 0."""
    prepare_assistant()
    # Setting up ten thousand instances takes seconds without a running loop; SIGTERM may end the process meanwhile.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))  # SIGUSR1 stays blocked: no log to reopen
    loop = new_loop()
    loop.run_until_complete(_work(assignment, line))
    return 0  # the loop is left as it is: a thread may still wait for the resolver


async def _work(assignment: HealthAssignment, line: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    watcher = Watcher(assignment.table)
    told = assignment.board, assignment.deployed
    deployments = Deployments(assignment.table, *told, watcher.resolver, watcher.ask_everyone)
    watcher.on_judged = deployments.judged

    def configure(plan: HealthPlan) -> None:
        deployments.configure(plan, assignment.file)
        watcher.configure(plan)

    configure(assignment.plan)
    loop.add_signal_handler(signal.SIGTERM, ended.set)

    def say(verb: Verb, rest: str) -> None:
        channel.say(verb, rest)

    def heard(message: Message) -> None:
        if message.verb is Verb.WANTED:
            deployments.wanted(message.rest)
        else:
            changes.heard(message)

    changes = ReloadParticipant(
        BackgroundThread(loop), say, _Prepared, lambda prepared: configure(prepared.plan.health)
    )
    channel = AssistantChannel(loop, line, ended.set, heard)
    channel.say_ready()
    await ended.wait()
    await deployments.close()
    await watcher.close()
    channel.close()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The new plan of a reload; this process has no listening sockets."""

    plan: Plan
    revision: ChildConfig
    sockets: Sequence[socket.socket]

    def drop(self) -> None:
        """Nothing was opened."""


class Watcher:
    """A probe for each instance that is checked, a task for each name that is looked up."""

    def __init__(self, table: HealthTable) -> None:
        self._table = table
        self._lines = PacedLines(logging.getLogger("lb.control"))
        self._last_resort = LastResort(self._lines)
        self._changed: set[tuple[str, str]] = set()  # environments in which an instance has changed
        self._failures = RepeatedFailures()
        self._schedule = Schedule(_AT_ONCE)
        self.resolver = ThreadPoolExecutor(LOOKUPS, "resolver")
        self.on_judged: Callable[[ProbeTarget], None] = lambda _: None
        self._plan = HealthPlan((), {}, 0.0)
        self._names: dict[str, list[ConfiguredInstance]] = {}
        self._siblings: dict[tuple[str, str], list[ConfiguredInstance]] = {}
        self._lost: set[str] = set()  # names that were logged as not found
        self._probes: dict[ProbeTarget, Probe] = {}
        self._lookups: dict[str, asyncio.Task[None]] = {}
        self._settling = every(asyncio.get_running_loop(), 1.0, self._look_at_groups, self._lines.end_second)

    def configure(self, plan: HealthPlan) -> None:
        """Watch what this plan wants; an instance that is checked as before is not disturbed."""
        self._plan = plan
        self._siblings = by_environment(plan.watched)
        self._names = {}
        for one in plan.watched:
            if one.address.is_name:
                self._names.setdefault(one.address.host, []).append(one)
        for name in self._lookups.keys() - self._names.keys():
            self._lookups.pop(name).cancel()
        for name in self._names.keys() - self._lookups.keys():
            task = self._lookups[name] = asyncio.ensure_future(self._follow(name))
            task.add_done_callback(tell_failure)
        self.ask_everyone()

    def _judged(self, subject: ProbeTarget) -> None:
        self._changed.add(subject.group)
        self.on_judged(subject)

    async def close(self) -> None:
        self._settling.cancel()
        for task in self._lookups.values():
            task.cancel()
        await self._schedule.close()
        self.resolver.shutdown(wait=False, cancel_futures=True)

    def ask_everyone(self) -> None:
        """Who is to be asked has changed, or may have."""
        wanted = dict.fromkeys(subjects(self._plan, self._table))
        for subject in self._probes.keys() - wanted.keys():
            self._schedule.remove(self._probes.pop(subject))
        new = [subject for subject in wanted if subject not in self._probes]
        for number, subject in enumerate(new):
            probe = self._probes[subject] = Probe(subject, self._table, self._lines, ask, self._judged)
            self._schedule.add(probe, number / _FIRST_RATE)

    def _look_at_groups(self) -> None:
        """At most once a second: very many instances of an environment may change together."""
        groups, self._changed = self._changed, set()
        for group in groups:
            rows = [self._table.find(key) for one in self._siblings.get(group, ()) for key in one.keys]
            conditions = [condition for row in rows if (condition := self._table.read(row)) is not None]
            self._last_resort.look(group, conditions)

    # Names

    async def _follow(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        pause = 0.0
        while True:
            await asyncio.sleep(jittered(pause))
            try:
                found = await loop.run_in_executor(self.resolver, look_up, name)
                has_any = self._found(name, found)
            except Exception as error:  # noqa: BLE001  the name is looked up again nevertheless
                self._failures.tell(f"looking up {name}", error)
                has_any = False
            pause = self._plan.dns_interval if has_any else min(_SOON, self._plan.dns_interval)

    def _found(self, name: str, found: ResolvedName) -> bool:
        """Writes the resolver's result to the table. Returns whether the name has addresses, old or new."""
        moved_any = has_any = False
        for one in self._names[name]:
            moved = place(self._table, one, self._siblings[one.app, one.environment], found, self._table.write)
            has_any = has_any or bool(moved.after)
            if set(moved.before) != set(moved.after):
                moved_any = True
                before, after = ", ".join(moved.before) or "none", ", ".join(moved.after)
                self._lines.write(logging.INFO, f"{one.title} now has the address {after}; before: {before}")
        if moved_any:
            self.ask_everyone()
        self._tell(name, found, has_any)
        return has_any

    def _tell(self, name: str, found: ResolvedName, has_any: bool) -> None:
        if found.hosts and name in self._lost:
            self._lost.discard(name)
            self._lines.write(logging.INFO, f"the name {name} is found")
        elif not found.hosts and name not in self._lost:
            self._lost.add(name)
            kept = "; its last addresses stay in use" if has_any else ""
            self._lines.write(logging.WARNING, f"the name {name} is not found: {found.error}{kept}")
