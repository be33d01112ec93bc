"""One deploy, from the files that are handed over to the switch: each state is written down before its step begins.

What fails or is cancelled before the switch changes nothing: the version that serves goes on. After the switch the
deploy is done for whoever waits; draining goes on (retirement.py). What follows a kill is in recovery.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from lb.apps.service.clock import EngineClock
from lb.apps.service.deploy_state import DeployBook, DeployRecord, DeployState
from lb.apps.service.lock import AppQueue, SupersededError
from lb.apps.service.parts import (
    BuildReport,
    DeployCancelledError,
    NotBuiltError,
    NotStartedError,
    RunningInstance,
    Say,
)
from lb.apps.service.placement_record import DesiredState
from lb.apps.service.progress import Progress
from lb.apps.service.reconciler import Reconciler
from lb.apps.service.rollout import end_fleet, start_fleet, unless_cancelled, wait_for_two_versions
from lb.apps.service.slots import Slot

log = logging.getLogger("lb.engine")

Receive = Callable[[Path], Awaitable[None]]
"""Puts the source into a directory. Raises NotBuiltError where it cannot be used."""


class Releases(Protocol):
    """The releases of an app, as a deploy uses them."""

    def reserve(self) -> tuple[str, Path]:
        """A new tag, and the directory that is to become the release."""

    async def build(
        self, record: DeployRecord, release: Path, progress: Progress, cancelled: asyncio.Event, options: BuildOptions
    ) -> BuildReport:
        """Builds and seals it. Raises NotBuiltError and DeployCancelledError."""

    def remove(self, tag: str) -> None:
        """An unfinished release goes; its log stays."""

    def prune(self) -> None:
        """Old ones go."""

    async def run_once(self, environment: str, tag: str, command: str, say: Say) -> None:
        """Runs the release command. Raises NotStartedError where it fails."""

    def release_command(self, tag: str) -> str | None:
        """Raises NotStartedError where the release is gone."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What whoever deploys may choose."""

    use_cache: bool = True
    show_log: bool = False


@dataclass(frozen=True, slots=True)
class DeployOutcome:
    """How a deploy ended: `code` is the exit code of the command."""

    ok: bool
    code: int
    sentence: str
    next_step: str = ""
    lines: tuple[str, ...] = ()


class Deployment:
    """One deploy (or publish, roll back, restart, scale): `run` does it, `cancel` ends it before the switch."""

    def __init__(
        self, record: DeployRecord, life: Reconciler, book: DeployBook, queue: AppQueue, releases: Releases
    ) -> None:
        self.record = record
        self.progress = Progress()
        self.cancelled = asyncio.Event()
        self.options = BuildOptions()
        self.receive: Receive | None = None
        self.count: int | None = None  # for `lb scale`
        self._life = life
        self._book = book
        self._queue = queue
        self._releases = releases

    @property
    def _clock(self) -> EngineClock:
        return self._life.around.clock

    def cancel(self) -> bool:
        """Whether it can still be cancelled, and is."""
        if self.record.state.serves or self.record.state in (DeployState.SWITCHING, DeployState.FAILED):
            return False
        self.cancelled.set()
        return True

    async def run(self) -> DeployOutcome:
        """Does it. The result is also the last event of `progress`."""
        try:
            outcome = await self._run()
        except asyncio.CancelledError:
            raise  # the engine ends: recovery says what is to be said
        except Exception:  # whoever waits must hear of it
            log.exception("%s: the deploy failed by the engine's fault", self._life.title)
            outcome = self._failed("the engine failed", "The engine's log has the reason")
        what = f"{self.record.kind.value} {self.record.tag}".strip()
        log.info("%s: %s: %s", self._life.title, what, outcome.sentence)
        ended = {"ok": outcome.ok, "code": outcome.code, "sentence": outcome.sentence, "next_step": outcome.next_step}
        about = {"tag": self.record.tag, "deploy": self.record.id, "state": self.record.state.value}
        self.progress.finish({**ended, **about, "lines": list(outcome.lines)})
        return outcome

    async def _run(self) -> DeployOutcome:
        try:
            self._to(DeployState.QUEUED)
            async with AsyncExitStack() as held:
                if self.record.kind.builds:
                    turn = self._queue.turn(
                        self.record.environment, self._name(), self.cancelled, self._tell_of_the_queue
                    )
                    await held.enter_async_context(turn)
                    await self._make_release()
                await self._roll_out(held)
        except SupersededError:
            return self._failed("a newer deploy of this environment replaced it while it waited")
        except DeployCancelledError:
            self._drop_release()
            self._to(DeployState.CANCELLED, "it was cancelled")
            return DeployOutcome(False, 1, "The deploy was cancelled.", self._what_serves())
        except NotBuiltError as problem:
            self._drop_release()
            self._to(DeployState.FAILED, problem.sentence)
            code = 78 if problem.is_project else 1
            return DeployOutcome(
                False, code, problem.sentence, self._also_what_serves(problem.next_step), problem.lines
            )
        except NotStartedError as problem:
            return self._failed(problem.sentence, problem.next_step, problem.lines)
        except OSError as error:
            self._drop_release()
            reason = f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
            return self._failed(f"the engine's directory cannot be written to: {reason}", "Free some disk space")
        return DeployOutcome(True, 0, self._success())

    def _failed(self, sentence: str, next_step: str = "", lines: tuple[str, ...] = ()) -> DeployOutcome:
        try:
            self._to(DeployState.FAILED, sentence)
        except OSError as error:
            log.warning("%s: the failed deploy cannot be written down: %s", self._life.title, error.strerror)
        return DeployOutcome(False, 1, sentence, self._also_what_serves(next_step), lines)

    # Steps

    async def _make_release(self) -> None:
        tag, path = self._releases.reserve()
        self.record = replace(self.record, tag=tag)
        self._to(DeployState.RECEIVING)
        self.progress.step(f"Receiving {tag}")
        self.progress.ask("source")
        assert self.receive is not None  # noqa: S101  who asks for a build brings one
        await unless_cancelled(self._received(path), self.cancelled)
        self._to(DeployState.BUILDING)
        report = await self._releases.build(self.record, path, self.progress, self.cancelled, self.options)
        cached = ", dependencies from the cache" if report.cache_hit else ""
        self.progress.line(f"Built with Python {report.python}{cached}")

    async def _received(self, path: Path) -> None:
        assert self.receive is not None  # noqa: S101  as above
        await self.receive(path / "source")

    async def _roll_out(self, held: AsyncExitStack) -> None:
        if self._life.rollout.locked():
            self.progress.line("Waiting for another change of this environment to end")
        await unless_cancelled(self._enter(held), self.cancelled)
        life, tag = self._life, self.record.tag or self._life.record.release
        self.record = replace(self.record, tag=tag, previous=life.record.release)
        await wait_for_two_versions(life, self.progress.line, self.cancelled)
        await self._release_command(tag)
        self._to(DeployState.STARTING)
        count = self.count if self.count is not None else life.count
        self.progress.step(f"Starting {count} {'instance' if count == 1 else 'instances'}")
        fleet = await start_fleet(life, tag, count, self.progress.line, self.cancelled, self._started)
        try:
            self._to(DeployState.SWITCHING)
            self._switch(tag, fleet.started)
        except OSError:
            await end_fleet(life, fleet)
            raise
        for slot in fleet.failed:
            life.slots[slot.name] = slot
        life.fill()
        self._releases.prune()

    async def _enter(self, held: AsyncExitStack) -> None:
        await held.enter_async_context(self._life.rollout)

    async def _release_command(self, tag: str) -> None:
        command = self._releases.release_command(tag) if self.record.kind.migrates else None
        if command is None:
            return
        self._to(DeployState.RELEASING)
        self.progress.step(f"Running the release command: {command}")
        work = self._releases.run_once(self.record.environment, tag, command, self.progress.line)
        await unless_cancelled(work, self.cancelled)

    def _started(self, identifier: str) -> None:
        self.record = replace(self.record, new=(*self.record.new, identifier))
        self._to(DeployState.STARTING)

    def _switch(self, tag: str, started: list[tuple[Slot, RunningInstance]]) -> None:
        """Raises OSError, and nothing has changed."""
        life = self._life
        had = bool(life.record.placed)
        count = {"count": self.count, "configured": life.settings.count} if self.count is not None else {}
        life.switch(tag, started, self.record.id, DesiredState.RUN, **count)
        try:
            self._to(DeployState.DRAINING if had else DeployState.DONE)
        except OSError as error:  # it serves; after a restart the placement says so
            log.warning("%s: the deploy's state cannot be written: %s", life.title, error.strerror)

    # Words

    def _to(self, state: DeployState, note: str | None = None) -> None:
        self.record = self._book.move(self.record, state, self._clock.now(), note)

    def _drop_release(self) -> None:
        if self.record.kind.builds and self.record.tag:
            self._releases.remove(self.record.tag)

    def _tell_of_the_queue(self, holder: str) -> None:
        self.progress.line(f"Waiting for {holder or 'another deploy'} to end")

    def _name(self) -> str:
        who = f" of {self.record.who}" if self.record.who else ""
        return f"the deploy{who} to {self.record.environment}"

    def _what_serves(self) -> str:
        release = self._life.record.release
        return (
            f"{release} goes on serving"
            if release and self._life.record.wish == DesiredState.RUN and self._life.record.placed
            else ""
        )

    def _also_what_serves(self, next_step: str) -> str:
        serves = self._what_serves()
        if not serves or not next_step:
            return next_step or serves
        return f"{next_step.rstrip('.')}. {serves}."

    def _success(self) -> str:
        done = {
            "deploy": "is deployed to",
            "publish": "is published to",
            "rollback": "serves again in",
            "restart": "was restarted in",
            "scale": "was scaled in",
            "start": "was started in",
            "settings": "has its new settings in",
        }[self.record.kind.value]
        draining = ""
        if retiring := self._life.retiring:
            draining = f"; {len(retiring)} old {'instance drains' if len(retiring) == 1 else 'instances drain'}"
        return f"{self.record.tag} {done} {self.record.environment}{draining}"
