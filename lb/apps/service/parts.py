"""What the service needs of those that build, start and check: interfaces, so that its logic runs with fakes.

The real parts are joined in machine.py. This file knows shapes and errors alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lb.apps.project.start import StartPlan
from lb.apps.run.exit import Exit
from lb.apps.run.order import InstanceFacts, InstanceOrder
from lb.apps.run.usage import Usage

Say = Callable[[str], None]


class NotStartedError(Exception):
    """An instance did not start: one sentence, the next step, and the last lines of its log."""

    def __init__(self, sentence: str, next_step: str = "", lines: tuple[str, ...] = ()) -> None:
        super().__init__(f"{sentence} {next_step}".strip())
        self.sentence = sentence
        self.next_step = next_step
        self.lines = lines


class NotBuiltError(Exception):
    """A build failed; `is_project` where the project's own files are wrong, which a second attempt does not change."""

    def __init__(
        self, sentence: str, next_step: str = "", lines: tuple[str, ...] = (), *, is_project: bool = False
    ) -> None:
        super().__init__(f"{sentence} {next_step}".strip())
        self.sentence = sentence
        self.next_step = next_step
        self.lines = lines
        self.is_project = is_project


class DeployCancelledError(Exception):
    """Somebody cancelled the deploy."""


class RunningInstance(Protocol):
    """A started instance."""

    @property
    def facts(self) -> InstanceFacts: ...
    @property
    def id(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    async def terminate(self, grace: float | None = None) -> Exit: ...
    async def kill(self) -> Exit: ...
    async def wait_exit(self) -> Exit: ...
    async def statistics(self) -> Usage: ...
    async def write_stdin(self, data: bytes) -> bool:
        """Gives standard input to one whose order says so; `b""` ends it. False once it reads no more."""

    async def last_lines(self, count: int = 20) -> tuple[str, ...]: ...
    def forget(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CheckOrder:
    """How an instance shows that it has started."""

    host: str
    proto: str
    uri: str | None
    timeout: float
    functions_mode: str
    credentials: tuple[str, str] = field(default=("", ""), repr=False)  # the app's ID and master key


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """`source` holds the files as they were handed over; everything that is made goes into `release`."""

    app: str
    tag: str
    source: Path
    release: Path
    cache: Path
    python: str  # the app's own default version, "" for the newest
    variables: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)  # what no log may show, besides the variables' values
    use_cache: bool = True
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What came of it."""

    start: StartPlan
    python: str
    size: int
    cache_hit: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """A release that can be started."""

    tag: str
    path: Path
    project: Path
    venv: Path
    start: StartPlan


class Machine(Protocol):
    """All that is done to the machine."""

    async def build(self, request: BuildRequest, say: Say, cancelled: asyncio.Event) -> BuildReport:
        """Raises NotBuiltError, DeployCancelledError."""

    async def launch(self, order: InstanceOrder) -> RunningInstance:
        """One that listens nowhere. Raises NotStartedError."""

    async def start(self, order: InstanceOrder, check: CheckOrder) -> RunningInstance:
        """Returns when it is healthy. Raises NotStartedError; then, or if it is cancelled, nothing of it is left."""

    async def beside_the_door(self, instance: RunningInstance) -> str:
        """What to say of an instance that clients can reach without passing the door (B3); "" if they cannot."""

    async def adopt(self) -> list[RunningInstance]:
        """What runs, or has ended unseen."""
