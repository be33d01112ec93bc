"""Wait until an instance is healthy (H1 to H3): asked at least each second, until its time is up or it has ended.

Asks with the environment's own Host and X-Forwarded-Proto, as the door will. An answer on a port counts only if the
instance's own processes listen there: the port may be another program's. What follows a success is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lb.apps.run.exit import Exit
from lb.apps.run.http_question import StartAnswer, StartQuestion, ask
from lb.apps.run.instance import LaunchedInstance
from lb.apps.run.listening import AppListener, PortHolder, listeners, port_holder, port_owner
from lb.apps.run.start_failure import FUNCTIONS, KEPT, PING, StartReport, StartSeen, report

DEFAULT_TIMEOUT = 30.0
SHORTEST, LONGEST = 15.0, 120.0  # what startupTimeout may say
_EACH = 1.0  # seconds between two checks
_SOON = 0.1  # between two looks for a listener that is not there yet
_PATIENCE = 10.0  # seconds for one answer
_HAS_TABLES = Path("/proc/self/net").is_dir()  # the kernel says who listens

Ask = Callable[[StartQuestion], Awaitable[StartAnswer]]


class StartClock(Protocol):
    """Monotonic seconds, and a way to let them pass."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class LoopClock:
    """The clock of the running loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class StartCheck:
    """How it is asked, and for how long. `proto` is what the door says in X-Forwarded-Proto."""

    host: str
    proto: str = "http"
    health_uri: str = "/"
    timeout: float = DEFAULT_TIMEOUT
    functions_mode: str = ""


class StartFailed(Exception):  # noqa: N818 -- a state of a deploy more than a fault of a program
    """It did not become healthy; `str()` is the report's screen. The instance is still there if it has not ended."""

    def __init__(self, found: StartReport, ended: Exit | None = None) -> None:
        super().__init__(found.screen())
        self.report = found
        self.exit = ended
        self.sentence = found.sentence
        self.next_step = found.next_step
        self.lines = found.lines


async def wait_until_healthy(
    running: LaunchedInstance, check: StartCheck, clock: StartClock | None = None, asking: Ask = ask
) -> None:
    """Returns once it is healthy. Raises StartFailed: at once if it ends, else when `check.timeout` is over."""
    clock = clock or LoopClock()
    ending = asyncio.ensure_future(running.wait_exit())
    try:
        checks = _Checks(running, check, clock, asking)
        asked = asyncio.ensure_future(checks.run())
        try:
            await asyncio.wait({ending, asked}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done() and asked.result():
                return
        finally:
            await _cancel(asked)
        ended = ending.result() if ending.done() else None
        raise StartFailed(await _look(running, check, checks.answers, ended), ended)
    finally:
        await _cancel(ending)


class _Checks:
    """The checks of one start, and their last answers."""

    def __init__(self, running: LaunchedInstance, check: StartCheck, clock: StartClock, asking: Ask) -> None:
        self._running = running
        self._check = check
        self._clock = clock
        self._asking = asking
        self.answers: dict[str, StartAnswer] = {}

    async def run(self) -> bool:
        """Whether it became healthy in time."""
        end = self._clock.now() + self._check.timeout
        while (left := end - self._clock.now()) > 0:
            began = self._clock.now()
            if await self._passes(left):
                holder = await self._holder()
                if holder is not PortHolder.NOBODY:  # it has closed its listener again
                    return holder is PortHolder.OWN
            if FUNCTIONS in self.answers and self.answers[FUNCTIONS].status:
                return False
            heard = any(answer.connected for answer in self.answers.values())
            pause = _EACH - (self._clock.now() - began) if heard else _SOON
            await self._clock.sleep(min(max(pause, 0.0), max(end - self._clock.now(), 0.0)))
        return False

    async def _holder(self) -> PortHolder:
        """Who has answered."""
        port = self._running.port
        if not port or not _HAS_TABLES:
            return PortHolder.OWN
        return await asyncio.to_thread(port_holder, port, await self._running.pids())

    async def _passes(self, left: float) -> bool:
        """The SDK's answer is enough; otherwise the app's own page decides (H2)."""
        self.answers = {}
        for uri in dict.fromkeys((PING, self._check.health_uri)):
            answer = await self._ask(uri, left)
            if answer.good:
                return await self._has_functions(left)
            if not answer.connected:
                return False  # nobody is there for the second question either
        return False

    async def _has_functions(self, left: float) -> bool:
        return self._check.functions_mode != "strict" or (await self._ask(FUNCTIONS, left)).good

    async def _ask(self, uri: str, left: float) -> StartAnswer:
        check = self._check
        answer = await self._asking(
            StartQuestion(self._running.endpoint, uri, check.host, check.proto, min(left, _PATIENCE))
        )
        self.answers[uri] = answer
        return answer


async def _look(
    running: LaunchedInstance, check: StartCheck, answers: dict[str, StartAnswer], ended: Exit | None
) -> StartReport:
    found: list[AppListener] = []
    pids = await running.pids() if ended is None else []
    if ended is None:
        found = await asyncio.to_thread(listeners, pids)
    port = running.port
    owner = await asyncio.to_thread(port_owner, port, pids, is_local=ended is None) if port else ""
    lines = ended.lines if ended is not None else await running.last_lines(KEPT)
    seen = StartSeen(
        name=running.facts.name,
        host=check.host,
        port=port,
        network=running.facts.network,
        timeout=check.timeout,
        lines=lines,
        exit=ended,
        answers=tuple(answers.items()),
        listeners=tuple(found),
        owner=owner,
        proto=check.proto,
    )
    return report(seen)


async def _cancel(task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
