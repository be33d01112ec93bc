"""Start an instance, find those that run, talk to them, end them. Knows nothing of deploys, releases' history or rows."""

from __future__ import annotations

from pathlib import Path

from lb.apps.run.exit import Exit
from lb.apps.run.order import InstanceFacts, InstanceOrder
from lb.apps.run.usage import Usage


class LaunchError(Exception):
    """The instance could not be started at all: a sentence and the next step."""

    def __init__(self, sentence: str, next_step: str = "") -> None:
        super().__init__(f"{sentence} {next_step}".strip())
        self.sentence = sentence
        self.next_step = next_step


class Running:
    """One instance whose shim was started or found. Nothing is sent to a process that is not its own."""

    def __init__(self, facts: InstanceFacts, directory: Path) -> None:
        self.facts = facts
        self.directory = directory

    @property
    def id(self) -> str:
        return self.facts.id

    @property
    def endpoint(self) -> str:
        return self.facts.endpoint

    async def terminate(self, grace: float | None = None) -> Exit:
        """SIGTERM, after `grace` seconds (the order's stop_timeout) the end of everything that is left."""
        raise NotImplementedError

    async def kill(self) -> Exit:
        """Ends everything at once."""
        raise NotImplementedError

    async def wait_exit(self) -> Exit:
        """Returns when it has ended, for whatever reason, and nothing of it is left."""
        raise NotImplementedError

    async def statistics(self) -> Usage:
        raise NotImplementedError

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        raise NotImplementedError

    def forget(self) -> None:
        """Removes its directory once it has ended and its exit was read."""


async def launch(order: InstanceOrder, run_root: Path) -> Running:
    """Starts an instance; it is not healthy yet. Raises LaunchError."""
    raise NotImplementedError


async def adopt(run_root: Path) -> list[Running]:
    """The instances under `run_root`, also ended ones whose exit nobody has read. What others left is cleared away."""
    raise NotImplementedError
