"""Which idle connection a request may have: by how long the connections have been idle, and a look at the socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from lb.proxy.upstream.connection import Upstream
from lb.proxy.upstream.pool import may_connect, take_idle
from lb.routing.instance import Instance
from tests.routing.instances import NOW, make

if TYPE_CHECKING:
    from lb.proxy.engine import Engine


class Idle(Upstream):
    """One that has been idle for some seconds, and knows whether anything is to be read from it."""

    __slots__ = ("stale",)

    def __init__(self, instance: Instance, seconds: float, stale: bool) -> None:
        super().__init__(cast("Engine", None), instance)
        self.idle_since = NOW - seconds
        self.pooled = True
        self.stale = stale

    def is_stale(self) -> bool:
        return self.stale

    def abort(self) -> None:
        self.instance.idle.remove(self)
        self.instance.connections -= 1


def pool(*seconds: float, stale: bool = False, keeps: bool = True) -> Instance:
    """An instance with connections that have been idle for so long, the oldest first."""
    [instance] = make(1)
    instance.keeps_idle = keeps
    instance.idle.extend(Idle(instance, one, stale) for one in seconds)
    return instance


@pytest.mark.parametrize("unsafe", [True, False])
def test_the_freshest_is_taken_and_is_idle_no_more(unsafe: bool) -> None:
    instance = pool(0.9, 0.5)
    oldest, freshest = instance.idle
    taken = take_idle(instance, unsafe, NOW)
    assert taken is not None
    assert taken is freshest
    assert not taken.pooled
    assert instance.idle == [oldest]
    assert take_idle(pool(), unsafe, NOW) is None


@pytest.mark.parametrize(
    ("instance", "fresh"),
    [
        (pool(0.5), True),
        (pool(1.0), True),
        (pool(1.01), False),  # longer than the instance is trusted
        (pool(1.01, 0.5), True),
        (pool(0.5, stale=True), False),
        (pool(0.01, keeps=False), False),  # it may close behind each response
        (pool(0.01, 0.001, keeps=False), False),
        (pool(0.06, 0.01, keeps=False), True),  # one has stayed open
        (pool(1.5, 1.2, keeps=False), False),
    ],
)
def test_what_must_not_be_sent_twice_gets_a_fresh_one_or_none(instance: Instance, fresh: bool) -> None:
    # spec: F2
    before = list(instance.idle)
    assert (take_idle(instance, True, NOW) is not None) is fresh
    assert instance.idle == (before[:-1] if fresh else before)
    if not fresh:
        assert take_idle(instance, False, NOW) is before[-1]  # which may be sent again


def test_an_instance_that_has_kept_one_is_known_to() -> None:
    # spec: F2
    instance = pool(0.05, keeps=False)
    assert take_idle(instance, False, NOW) is not None
    assert not instance.keeps_idle
    instance = pool(0.06, 0.01, keeps=False)
    take_idle(instance, True, NOW)
    assert instance.keeps_idle


@pytest.mark.parametrize(
    ("limit", "idle", "others", "closed", "may"),
    [
        (0, 3, 50, 0, True),  # no limit
        (4, 3, 0, 0, True),
        (4, 3, 1, 1, True),  # the one idle longest makes room
        (1, 1, 0, 1, True),
        (2, 0, 2, 0, False),  # all of them serve, or are being closed
        (2, 4, 1, 4, True),  # the limit was lowered
    ],
)
def test_idle_connections_count_and_make_room(limit: int, idle: int, others: int, closed: int, may: bool) -> None:
    # spec: L5
    instance = pool(*(0.9 - number / 10 for number in range(idle)))
    instance.limit = limit
    instance.connections = idle + others
    before = list(instance.idle)
    assert may_connect(instance) is may
    assert instance.idle == before[closed:]
    if limit:
        assert (instance.connections < limit) is may
