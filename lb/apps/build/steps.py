"""Runs one command of a build: in a session of its own, under the build's limits, with its output in the log.

When `run` returns, or raises, nothing of the command is running any more.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from time import monotonic
from typing import Any

from lb.apps.build import processes, step_child
from lb.apps.build.build_log import BuildLog
from lb.apps.build.failure import next_step_after
from lb.apps.build.settings import BuildCancelledError, BuildFailed, BuildLimits
from lb.config.units import show_duration, show_size

_LOOK = 0.2  # seconds between two looks at what a step uses
_PIECE = 1 << 16
_LEFT_OPEN = 2.0  # seconds that the pipe may stay open once every known process is gone
_SHELL = "/bin/sh"
_OUT_OF_SHELL = {126: "a file that it runs may not be executed", 127: "a command in it was not found"}


@dataclass(slots=True)
class Budget:
    """What a build may still use, over all of its steps."""

    limits: BuildLimits
    cpu_used: float = 0.0
    started: float = field(default_factory=monotonic)

    def excess(self, cpu: float, memory: int) -> tuple[str, str] | None:
        """Which limit a step is over that has used `cpu` seconds, and what can be done; None for none."""
        limits = self.limits
        if limits.timeout is not None and monotonic() - self.started > limits.timeout:
            return f"the build took longer than {show_duration(limits.timeout)}", "engine.build.timeout sets the limit"
        if limits.cpu_time is not None and self.cpu_used + cpu > limits.cpu_time:
            used = show_duration(limits.cpu_time)
            return f"the build used more than {used} of CPU time", "engine.build.cpu_time sets the limit"
        if limits.memory is not None and memory > limits.memory:
            return (
                f"the build used more than {show_size(limits.memory)} of memory",
                "engine.build.memory sets the limit; fewer parallel jobs need less",
            )
        return None


@dataclass(frozen=True, slots=True)
class StepRunner:
    """Runs the steps of one build, one at a time."""

    release: Path
    budget: Budget
    log: BuildLog
    cancelled: asyncio.Event

    async def shell(self, name: str, command: str, cwd: Path, environment: Mapping[str, str]) -> None:
        """Runs a command in shell syntax."""
        await self.run(name, (_SHELL, "-c", command), cwd, environment)

    async def run(self, name: str, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        """Runs a command. Raises BuildFailed, with what it wrote last, and BuildCancelledError."""
        if self.cancelled.is_set():
            raise BuildCancelledError
        self.log.begin()
        step = _Running(self, name, self._start(command, cwd, environment))
        try:
            status = await step.watch()
        finally:
            await step.end()
        if status:
            await self._fail(name, status)

    def _start(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        limits = self.budget.limits
        key, value = processes.mark_of(self.release)
        launch = (sys.executable, "-I", "-S", step_child.__file__, str(limits.memory or 0), str(limits.cpus or 0))
        return subprocess.Popen(  # noqa: S603  the command is the project's own, and no shell is between
            (*launch, *command),
            cwd=cwd,
            env={**environment, key: value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    async def _fail(self, name: str, status: int) -> None:
        tail = self.log.tail()
        if status < 0:
            reason = f"it was ended by {Signals(-status).name}"
        else:
            reason = f"it failed with exit status {status}"
            if status in _OUT_OF_SHELL:
                reason += f": {_OUT_OF_SHELL[status]}"
        raise BuildFailed(name, reason, next_step_after(tail), tail)


class _Running:
    """One command that runs."""

    def __init__(self, runner: StepRunner, name: str, child: subprocess.Popen[bytes]) -> None:
        self._runner = runner
        self._name = name
        self._child = child
        assert child.stdout is not None  # noqa: S101
        self._pipe = child.stdout
        self._closed = asyncio.Event()
        self._cpu = 0.0
        self._seen: list[processes.Process] = []
        os.set_blocking(self._pipe.fileno(), False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe.fileno(), self._read)
        self._ended: asyncio.Future[int] = self._loop.create_future()
        threading.Thread(target=self._wait, daemon=True).start()  # the loop's own threads are few, and steps are long

    async def watch(self) -> int:
        """Waits for the command's end; the status as of subprocess. Raises where a limit or the owner ends it."""
        cancelled = asyncio.create_task(self._runner.cancelled.wait())
        either: set[asyncio.Future[Any]] = {self._ended, cancelled}
        try:
            while True:
                done, _ = await asyncio.wait(either, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                if self._ended in done:
                    return self._ended.result()
                if cancelled in done:
                    raise BuildCancelledError
                await self._look()
        finally:
            cancelled.cancel()

    async def end(self) -> None:
        """Ends what is left of the command, and takes what it has written."""
        await processes.end_all(self._runner.release, self._child.pid, self._seen)
        await asyncio.shield(self._ended)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), _LEFT_OPEN)
        self._stop_reading()
        self._pipe.close()
        self._runner.log.finish()
        self._runner.budget.cpu_used += self._cpu

    async def _look(self) -> None:
        budget, pid = self._runner.budget, self._child.pid
        self._seen, memory = await asyncio.to_thread(_look_at, self._runner.release, pid, budget.limits.memory)
        self._cpu = max(self._cpu, sum(process.cpu for process in self._seen))
        if (excess := budget.excess(self._cpu, memory)) is not None:
            raise BuildFailed(self._name, *excess, tail=self._runner.log.tail())

    def _wait(self) -> None:
        """In a thread: waits for the command, and learns what it and its children have used."""
        _, status, usage = os.wait4(self._child.pid, 0)
        with suppress(RuntimeError):  # the loop is closed: nobody asks any more
            self._loop.call_soon_threadsafe(self._note_end, status, usage.ru_utime + usage.ru_stime)

    def _note_end(self, status: int, cpu: float) -> None:
        self._cpu = max(self._cpu, cpu)
        self._child.returncode = os.waitstatus_to_exitcode(status)
        if not self._ended.done():
            self._ended.set_result(self._child.returncode)

    def _read(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._runner.log.feed(data)
        else:
            self._stop_reading()

    def _stop_reading(self) -> None:
        if not self._closed.is_set():
            self._loop.remove_reader(self._pipe.fileno())
            self._closed.set()


def _look_at(release: Path, session: int, memory: int | None) -> tuple[list[processes.Process], int]:
    """All processes of a step, and their memory in bytes if that has a bound."""
    found = processes.members(release, session)
    return found, processes.memory_of(found, memory) if memory is not None else 0
