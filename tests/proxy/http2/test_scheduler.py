"""Whose frame is next on an HTTP/2 connection (RFC 9218)."""

from __future__ import annotations

import pytest

from lb.proxy.http2.flow import URGENCY, Flow
from lb.proxy.http2.scheduler import Scheduler


def flow(number: int, urgency: int = URGENCY, *, takes_turns: bool = True) -> Flow:
    made = Flow(number, 65535)
    made.urgency = urgency
    made.takes_turns = takes_turns
    return made


def order(scheduler: Scheduler, frames: int) -> list[int]:
    """Whose the next frames are, if all have more to send."""
    numbers = []
    for _ in range(frames):
        one = scheduler.turn()
        numbers.append(one.number)
        scheduler.went(one)
    return numbers


def test_streams_take_turns() -> None:
    scheduler = Scheduler()
    for number in (1, 3, 5):
        scheduler.add(flow(number))
    assert order(scheduler, 6) == [1, 3, 5, 1, 3, 5]
    assert scheduler.count == 3


def test_the_most_urgent_come_first() -> None:
    scheduler = Scheduler()
    for one in (flow(1, 5), flow(3, 0), flow(5, 3)):
        scheduler.add(one)
    assert order(scheduler, 7) == [3] * 7


def test_nothing_waits_forever() -> None:
    scheduler = Scheduler()
    scheduler.add(flow(1, 7))
    scheduler.add(flow(3, 0))
    assert order(scheduler, 80).count(1) == 10


def test_what_takes_no_turns_is_sent_as_a_whole_in_the_order_of_the_requests() -> None:
    scheduler = Scheduler()
    for number in (5, 3, 7):
        scheduler.add(flow(number, takes_turns=False))
    scheduler.add(flow(1))
    assert order(scheduler, 7) == [3] * 7
    scheduler.remove(scheduler.turn())  # the eighth is that of the stream that would be next
    assert order(scheduler, 3) == [3] * 3


def test_one_that_has_nothing_left_is_out_of_the_way() -> None:
    scheduler = Scheduler()
    first, second = flow(1), flow(3)
    scheduler.add(first)
    scheduler.add(second)
    assert first.queued
    scheduler.remove(first)
    assert not first.queued
    assert order(scheduler, 3) == [3, 3, 3]
    scheduler.remove(second)
    assert scheduler.count == 0


@pytest.mark.parametrize("streams", [1, 2, 100])
def test_every_stream_is_served(streams: int) -> None:
    scheduler = Scheduler()
    for number in range(1, 2 * streams, 2):
        scheduler.add(flow(number))
    assert set(order(scheduler, 2 * streams)) == set(range(1, 2 * streams, 2))
