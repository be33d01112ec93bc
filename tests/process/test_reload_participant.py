"""A child's part in a reload: what it prepares, answers and forgets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Thread

import pytest

from lb.config.model import Config
from lb.config.plan import Plan, make_plan
from lb.process import reload_participant as changes_module
from lb.process.channel import Message
from lb.process.child_config import ChildConfig, inode
from lb.process.memfd import wrap_up
from lb.process.reload_participant import BackgroundThread, ReloadParticipant
from lb.process.verbs import Verb
from tests.e2e.harness import process

PLAN = make_plan(Config(workers=3))
REVISION = ChildConfig("worker 1/1", None, 1, (), frozenset(), ())


@dataclass
class Made:
    plan: Plan
    revision: ChildConfig
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
        self.changes = ReloadParticipant(BackgroundThread(self.loop), self.say, self.prepare, self.live.append)

    def say(self, verb: str, rest: str) -> None:
        self.said.put_nowait(f"{verb} {rest}")

    def prepare(self, plan: Plan, revision: ChildConfig, sockets: Sequence[socket.socket]) -> Made:
        asyncio.run_coroutine_threadsafe(self.may.wait(), self.loop).result(10)
        if self.error is not None:
            raise self.error
        self.made.append(Made(plan, revision, sockets))
        return self.made[-1]

    def hear(self, verb: Verb, rest: str, *sockets: socket.socket) -> None:
        descriptors: tuple[int, ...] = ()
        if verb is Verb.PREPARE:
            passed = [os.dup(sock.fileno()) for sock in sockets]
            descriptors = (wrap_up(PLAN), wrap_up(REVISION), *passed)
        self.changes.heard(Message(verb, rest, descriptors))

    async def says(self) -> str:
        return await asyncio.wait_for(self.said.get(), 10)


async def test_prepare_and_switch() -> None:
    child = Child()
    before = process.open_files(os.getpid())
    with socket.socket() as sock:
        child.hear(Verb.PREPARE, "4", sock)
        assert await child.says() == "prepared 4"
        [made] = child.made
        assert (made.plan, made.revision) == (PLAN, REVISION)
        assert [inode(one) for one in made.sockets] == [inode(sock)]
    assert child.live == []
    child.hear(Verb.SWITCH, "3")
    assert child.live == []
    child.hear(Verb.SWITCH, "4")
    assert child.live == [made]
    assert await child.says() == "switched 4"
    child.hear(Verb.SWITCH, "4")
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
        child.hear(Verb.PREPARE, "1", sock)
        if not late:
            assert await child.says() == "prepared 1"
        child.hear(Verb.ABANDON, "1")
        child.may.set()
        child.hear(Verb.PREPARE, "2")
        assert await child.says() == "prepared 2"
    assert [made.dropped for made in child.made] == [True, False]
    child.hear(Verb.SWITCH, "1")
    assert child.live == []
    assert process.open_files(os.getpid()) == before


async def test_the_latest_change_is_the_one_that_counts() -> None:
    child = Child()
    child.may.clear()
    child.hear(Verb.PREPARE, "1")
    child.hear(Verb.PREPARE, "2")
    child.may.set()
    assert await child.says() == "prepared 2"
    child.hear(Verb.SWITCH, "2")
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
        child.hear(Verb.PREPARE, "1", sock)
        assert await child.says() == f"refused 1 {reason}"
    assert process.open_files(os.getpid()) == before
    child.hear(Verb.SWITCH, "1")
    assert child.live == []


async def test_a_line_that_came_without_its_descriptors_is_refused() -> None:
    child = Child()
    child.changes.heard(Message(Verb.PREPARE, "1"))
    assert (await child.says()).startswith("refused 1 this process may open no more files")


async def test_a_job_that_raises_is_followed_by_the_next() -> None:
    background = BackgroundThread(asyncio.get_running_loop())
    done: asyncio.Queue[int] = asyncio.Queue()

    def job(number: int) -> Callable[[], None]:
        if number % 2:
            raise [OSError("too many open files"), MemoryError(), KeyboardInterrupt()][number // 2]
        return partial(done.put_nowait, number)

    for number in range(7):
        background.run(partial(job, number))
    assert [await asyncio.wait_for(done.get(), 10) for _ in range(4)] == [0, 2, 4, 6]


async def test_a_job_waits_for_a_thread_that_the_system_does_not_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_module, "_NO_THREAD", 0.01)
    refusals = [RuntimeError("can't start new thread")] * 3
    start = Thread.start

    def reluctant(thread: Thread) -> None:
        if refusals:
            raise refusals.pop()
        start(thread)

    monkeypatch.setattr(Thread, "start", reluctant)
    background = BackgroundThread(asyncio.get_running_loop())
    done = asyncio.Event()
    background.run(lambda: done.set)
    await asyncio.wait_for(done.wait(), 10)
    assert refusals == []


async def test_descriptors_that_are_no_sockets_are_refused_with_the_reason() -> None:
    child = Child()
    before = process.open_files(os.getpid())
    descriptors = (wrap_up(PLAN), wrap_up(REVISION), os.memfd_create("no socket"))
    child.changes.heard(Message(Verb.PREPARE, "1", descriptors))
    assert (await child.says()).startswith("refused 1 ")
    os.close(descriptors[2])
    assert process.open_files(os.getpid()) == before
