"""What a loop does again and again: nothing that a job raises can end it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from lb.process.every import every, until_done

PATIENCE = 10.0


class Job:
    """Fails with `errors`, one after the other, and then no more; `times` tells how often it was done."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.times = 0
        self.done = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        if self.errors:
            raise self.errors.pop(0)
        self.done.set()


async def wait(job: Job) -> None:
    await asyncio.wait_for(job.done.wait(), PATIENCE)


async def test_what_a_job_raises_keeps_neither_the_next_time_nor_the_others_from_coming() -> None:
    bad, good = Job(*[MemoryError(), OSError("none"), KeyError("x")] * 3), Job()
    repeated = every(asyncio.get_running_loop(), 0.001, bad, good)
    assert (bad.times, good.times) == (1, 1)
    await wait(bad)
    assert bad.times == good.times == 10
    repeated.cancel()
    await asyncio.sleep(0)
    assert bad.times == 10


async def test_not_even_what_no_except_catches_ends_it() -> None:
    job = Job(asyncio.CancelledError())
    loop = asyncio.get_running_loop()
    with pytest.raises(asyncio.CancelledError):
        every(loop, 0.001, job)
    await wait(job)
    assert job.times >= 2


async def test_a_job_that_takes_long_is_done_more_seldom() -> None:
    loop = asyncio.get_running_loop()
    pauses: list[float] = []
    loop_call_later = loop.call_later

    class Loop:
        def call_later(self, pause: float, *_: object) -> asyncio.TimerHandle:
            pauses.append(pause)
            return loop_call_later(1000.0, lambda: None)

    def slow() -> None:
        end = loop.time() + 0.01
        while loop.time() < end:
            pass

    every(Loop(), 0.05, slow, share=20.0).cancel()  # type: ignore[arg-type]
    assert pauses[0] == 0.05
    assert pauses[1] >= 0.2


async def test_what_is_tried_until_it_is_done_is_done_once() -> None:
    job = Job(RuntimeError("can't start new thread"), OSError())
    until_done(asyncio.get_running_loop(), 0.001, job)
    await wait(job)
    await asyncio.sleep(0.01)
    assert job.times == 3
    at_once = Job()
    until_done(asyncio.get_running_loop(), 0.001, at_once)
    await asyncio.sleep(0.01)
    assert at_once.times == 1


async def test_the_same_failure_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lb.worker")
    job = Job(*[OSError(5, "Input/output error")] * 5, *[ValueError("x")] * 5)
    repeated = every(asyncio.get_running_loop(), 0.001, job)
    await wait(job)
    repeated.cancel()
    assert [record.getMessage().partition(" failed ")[2] for record in caplog.records] == [
        "and will be tried again: [Errno 5] Input/output error",
        "and will be tried again",
    ]
