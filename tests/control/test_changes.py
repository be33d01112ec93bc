"""A child's part in a reload: what it prepares, answers and forgets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from lb.config.model import Config
from lb.worker.changes import Aside, Changes
from lb.worker.channel import Message
from lb.worker.parcel import wrap_up
from lb.worker.revision import Revision, inode
from tests.e2e.harness import process

REVISION = Revision("worker 1/1", None, 1, (), frozenset(), ())


@dataclass
class Made:
    config: Config
    revision: Revision
    sockets: Sequence[socket.socket]
    dropped: bool = False

    def drop(self) -> None:
        self.dropped = True
        for sock in self.sockets:
            sock.close()


@dataclass
class Child:
    """Prepares when `may` says so, and fails if there is an `error`."""

    error: Exception | None = None
    made: list[Made] = field(default_factory=list)
    live: list[Made] = field(default_factory=list)
    said: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    may: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.may.set()
        self.changes = Changes(Aside(self.loop), self.say, self.prepare, self.live.append)

    def say(self, verb: str, rest: str) -> None:
        self.said.put_nowait(f"{verb} {rest}")

    def prepare(self, config: Config, revision: Revision, sockets: Sequence[socket.socket]) -> Made:
        asyncio.run_coroutine_threadsafe(self.may.wait(), self.loop).result(10)
        if self.error is not None:
            raise self.error
        self.made.append(Made(config, revision, sockets))
        return self.made[-1]

    def hear(self, verb: str, rest: str, *sockets: socket.socket) -> None:
        descriptors: tuple[int, ...] = ()
        if verb == "prepare":
            passed = [os.dup(sock.fileno()) for sock in sockets]
            descriptors = (wrap_up(Config(workers=3)), wrap_up(REVISION), *passed)
        self.changes.heard(Message(verb, rest, descriptors))

    async def says(self) -> str:
        return await asyncio.wait_for(self.said.get(), 10)


async def test_prepare_and_switch() -> None:
    child = Child()
    before = process.open_files(os.getpid())
    with socket.socket() as sock:
        child.hear("prepare", "4", sock)
        assert await child.says() == "prepared 4"
        [made] = child.made
        assert (made.config, made.revision) == (Config(workers=3), REVISION)
        assert [inode(one) for one in made.sockets] == [inode(sock)]
    assert child.live == []
    child.hear("switch", "3")
    assert child.live == []
    child.hear("switch", "4")
    assert child.live == [made]
    assert await child.says() == "switched 4"
    child.hear("switch", "4")
    assert child.said.empty()
    made.drop()
    assert process.open_files(os.getpid()) == before


@pytest.mark.parametrize("late", [False, True])
async def test_abandon_leaves_nothing(late: bool) -> None:
    child = Child()
    before = process.open_files(os.getpid())
    with socket.socket() as sock:
        if late:
            child.may.clear()
        child.hear("prepare", "1", sock)
        if not late:
            assert await child.says() == "prepared 1"
        child.hear("abandon", "1")
        child.may.set()
        child.hear("prepare", "2")
        assert await child.says() == "prepared 2"
    assert [made.dropped for made in child.made] == [True, False]
    child.hear("switch", "1")
    assert child.live == []
    assert process.open_files(os.getpid()) == before


async def test_the_latest_change_is_the_one_that_counts() -> None:
    child = Child()
    child.may.clear()
    child.hear("prepare", "1")
    child.hear("prepare", "2")
    child.may.set()
    assert await child.says() == "prepared 2"
    child.hear("switch", "2")
    assert child.live == child.made[1:]
    assert child.made[0].dropped


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError("no such file"), "no such file"), (RuntimeError(), "RuntimeError()")],
)
async def test_a_failure_is_told_and_leaves_nothing(error: Exception, reason: str) -> None:
    child = Child(error)
    before = process.open_files(os.getpid())
    with socket.socket() as sock:
        child.hear("prepare", "1", sock)
        assert await child.says() == f"refused 1 {reason}"
    assert process.open_files(os.getpid()) == before
    child.hear("switch", "1")
    assert child.live == []


async def test_a_line_that_came_without_its_descriptors_is_refused() -> None:
    child = Child()
    child.changes.heard(Message("prepare", "1"))
    assert (await child.says()).startswith("refused 1 this process may open no more files")
