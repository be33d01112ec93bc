"""Certificates that change while a worker reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from threading import Event, Semaphore
from typing import cast

import pytest

from lb.process.channel import Message
from lb.process.verbs import Verb
from lb.tls.files.sources import Sources
from lb.tls.handshake.contexts import Contexts
from lb.worker import apply as change_module
from lb.worker.apply import LiveParts, WorkerReload

PATIENCE = 10.0


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def live_with(sources: Callable[[], tuple[()]]) -> LiveParts:
    return LiveParts(
        engine=None,  # type: ignore[arg-type]  # nothing of it is asked here
        registry=None,  # type: ignore[arg-type]
        contexts=Contexts(),
        sources=cast("Sources", sources),
        listeners=None,  # type: ignore[arg-type]
        logbook=None,  # type: ignore[arg-type]
    )


# spec: T5
def test_many_changes_while_certificates_are_read_are_read_at_once(loop: asyncio.AbstractEventLoop) -> None:
    read, go_on, told = Semaphore(0), Event(), Message(Verb.CERTIFICATES, "")
    reads: list[int] = []

    def slow() -> tuple[()]:
        reads.append(len(reads))
        read.release()
        assert go_on.wait(PATIENCE)
        return ()

    changing = WorkerReload(loop, lambda *_: None, live_with(slow))
    changing.heard(told)
    assert read.acquire(timeout=PATIENCE)
    for _ in range(20):
        changing.heard(told)
    go_on.set()
    loop.run_until_complete(asyncio.wait_for(asyncio.to_thread(read.acquire), PATIENCE))
    changing.heard(told)
    loop.run_until_complete(asyncio.wait_for(asyncio.to_thread(read.acquire), PATIENCE))
    assert reads == [0, 1, 2]  # the first, one for twenty, and the last
    loop.run_until_complete(loop.shutdown_default_executor())


# spec: T5
@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), RuntimeError("a bug")])
def test_certificates_that_cannot_be_read_are_read_again(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(change_module, "_UNREAD", 0.01)
    reads: list[int] = []
    done = asyncio.Event()

    def failing() -> tuple[()]:
        reads.append(len(reads))
        if len(reads) < 4:
            raise error
        loop.call_soon_threadsafe(done.set)
        return ()

    WorkerReload(loop, lambda *_: None, live_with(failing)).heard(Message(Verb.CERTIFICATES, ""))
    loop.run_until_complete(asyncio.wait_for(done.wait(), PATIENCE))
    assert reads == [0, 1, 2, 3]
