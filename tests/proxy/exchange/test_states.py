"""Every cell of the table of states, with every phase that it names: told to an exchange with fakes on both sides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lb.errors import ProxyError
from lb.proxy.exchange.exchange import Exchange
from lb.proxy.exchange.states import (
    CHECKING,
    CONNECTING,
    DECIDING,
    DONE,
    FORWARDING,
    NAMES,
    RESPONDING,
    SERVING,
    TABLE,
    WAITING,
)
from tests.proxy.exchange.fakes import Stage, staged

GET = b"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 4\r\n\r\nab"
CHUNKED = b"POST / HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\n"

Act = Callable[[Stage, Exchange], object]


def at(stage: Stage, phase: int, request: bytes = GET) -> Exchange:
    """An exchange in this phase."""
    exchange = stage.exchange(request)
    if phase == DECIDING:
        return exchange
    if phase == CHECKING:
        stage.guarded()
        exchange.start()
        assert exchange.phase == phase
        return exchange
    if phase == SERVING:
        stage.files()
        exchange.start()
        assert exchange.phase == phase
        return exchange
    if phase == WAITING:
        stage.busy()
    elif phase == DONE:
        stage.down()
    elif phase != CONNECTING:
        stage.pooled()
    exchange.start()
    if phase == CONNECTING:
        stage.pooled()
    elif phase == RESPONDING:
        exchange.upstream.fill(HEAD + b"o")
        exchange.response_data()
    assert exchange.phase == phase
    return exchange


def ready(stage: Stage) -> None:
    """Nothing is busy, and each instance has a connection to spare."""
    stage.busy(False)
    stage.pooled()


def come(data: bytes) -> Act:
    """So much has come from the instance."""
    return lambda _, exchange: exchange.upstream.fill(data)


def sent(data: bytes) -> Act:
    """So much more has come from the client."""
    return lambda stage, _: stage.client.fill(data)


def nothing(_stage: Stage, _exchange: Exchange) -> None:
    pass


def no_more_idle(stage: Stage, exchange: Exchange) -> None:
    """The instances have no connection to spare but the one that is used."""
    for instance in stage.environment.instances:
        instance.idle.clear()
    assert exchange.upstream is not None


def out_of_instances(stage: Stage, _exchange: Exchange) -> None:
    stage.down()


def others_are_busy(stage: Stage, exchange: Exchange) -> None:
    for instance in stage.environment.instances:
        if instance is not exchange.instance:
            instance.limit = instance.inflight = 1


def client_is_paused(stage: Stage, _exchange: Exchange) -> None:
    stage.client.pause()


def client_takes_all(stage: Stage, _exchange: Exchange) -> None:
    stage.client.takes_files = 1 << 30


# Phase, event, request, what is so before the event, and the phase after it.
CASES: list[tuple[int, str, bytes, Act, int]] = [
    (DECIDING, "start", GET, lambda stage, _: stage.busy(), WAITING),
    (DECIDING, "start", GET, nothing, CONNECTING),
    (DECIDING, "start", GET, lambda stage, _: stage.pooled(), FORWARDING),
    (DECIDING, "start", GET, out_of_instances, DONE),
    (DECIDING, "start", GET, lambda stage, _: stage.files(), SERVING),
    (DECIDING, "start", GET, lambda stage, _: stage.guarded(), CHECKING),
    (DECIDING, "fail", GET, nothing, DONE),
    (CHECKING, "let_in", GET, lambda stage, _: stage.busy(), WAITING),
    (CHECKING, "let_in", GET, nothing, CONNECTING),
    (CHECKING, "let_in", GET, lambda stage, _: stage.pooled(), FORWARDING),
    (CHECKING, "let_in", GET, out_of_instances, DONE),
    (CHECKING, "let_in", GET, lambda stage, _: stage.files(), SERVING),
    (CHECKING, "client_late", GET, nothing, DONE),
    (WAITING, "forward", GET, nothing, WAITING),
    (WAITING, "forward", GET, lambda stage, _: stage.busy(False), CONNECTING),
    (WAITING, "forward", GET, lambda stage, _: ready(stage), FORWARDING),
    (WAITING, "forward", GET, out_of_instances, DONE),
    (WAITING, "client_late", GET, nothing, DONE),
    (CONNECTING, "client_late", POST, nothing, CONNECTING),
    (CONNECTING, "upstream_connected", GET, nothing, FORWARDING),
    (CONNECTING, "upstream_connected", CHUNKED, sent(b"no size\r\n"), DONE),
    (CONNECTING, "upstream_refused", GET, others_are_busy, WAITING),
    (CONNECTING, "upstream_refused", GET, no_more_idle, CONNECTING),
    (CONNECTING, "upstream_refused", GET, nothing, FORWARDING),
    (CONNECTING, "upstream_refused", GET, out_of_instances, DONE),
    (CONNECTING, "upstream_late", GET, others_are_busy, WAITING),
    (CONNECTING, "upstream_late", GET, no_more_idle, CONNECTING),
    (CONNECTING, "upstream_late", GET, nothing, FORWARDING),
    (CONNECTING, "upstream_late", GET, out_of_instances, DONE),
    (FORWARDING, "request_data", POST, sent(b"cd"), FORWARDING),
    (FORWARDING, "request_data", CHUNKED, sent(b"no size\r\n"), DONE),
    (FORWARDING, "client_ended", GET, nothing, FORWARDING),
    (FORWARDING, "client_ended", POST, nothing, DONE),
    (FORWARDING, "client_late", GET, nothing, FORWARDING),
    (FORWARDING, "client_late", POST, nothing, DONE),
    (FORWARDING, "upstream_drained", GET, nothing, FORWARDING),
    (FORWARDING, "response_data", GET, come(INTERIM + b"HTTP"), FORWARDING),
    (FORWARDING, "response_data", GET, come(HEAD + b"o"), RESPONDING),
    (FORWARDING, "response_data", GET, come(HEAD + b"over"), DONE),
    (FORWARDING, "upstream_ended", GET, nothing, FORWARDING),
    (FORWARDING, "upstream_ended", GET, no_more_idle, CONNECTING),
    (FORWARDING, "upstream_ended", POST, nothing, DONE),
    (FORWARDING, "upstream_lost", GET, nothing, FORWARDING),
    (FORWARDING, "upstream_lost", GET, no_more_idle, CONNECTING),
    (FORWARDING, "upstream_lost", POST, nothing, DONE),
    (FORWARDING, "upstream_late", POST, nothing, FORWARDING),
    (FORWARDING, "upstream_late", GET, nothing, DONE),
    (RESPONDING, "request_data", POST, sent(b"cd"), RESPONDING),
    (RESPONDING, "request_data", CHUNKED, sent(b"no size\r\n"), DONE),
    (RESPONDING, "client_ended", GET, nothing, RESPONDING),
    (RESPONDING, "client_ended", POST, nothing, DONE),
    (RESPONDING, "client_late", POST, client_is_paused, RESPONDING),
    (RESPONDING, "client_late", POST, nothing, DONE),
    (RESPONDING, "flush", GET, nothing, RESPONDING),
    (RESPONDING, "upstream_drained", GET, nothing, RESPONDING),
    (RESPONDING, "response_data", GET, come(b"ve"), RESPONDING),
    (RESPONDING, "response_data", GET, come(b"ver"), DONE),
    (RESPONDING, "upstream_ended", GET, nothing, DONE),
    (RESPONDING, "upstream_lost", GET, nothing, DONE),
    (RESPONDING, "upstream_late", GET, lambda _, exchange: exchange.upstream.pause(), RESPONDING),
    (RESPONDING, "upstream_late", GET, nothing, DONE),
    (SERVING, "client_drained", GET, client_takes_all, DONE),
    (SERVING, "client_late", GET, nothing, SERVING),
    *((DONE, event, GET, nothing, DONE) for event in ("client_gone", "fail", "cut", "flush")),
    *(
        (phase, event, GET, nothing, DONE)
        for phase in (CHECKING, WAITING, CONNECTING, FORWARDING, RESPONDING, SERVING)
        for event in ("client_gone", "client_severed", "client_stopped", "fail", "cut")
    ),
    *(
        (phase, event, GET, nothing, phase)
        for phase in (CHECKING, WAITING, CONNECTING, FORWARDING, RESPONDING, SERVING)
        for event in ("request_data", "client_drained", "client_ended", "probe_client")
    ),
]


def others_are_busy_and_this_one_too(stage: Stage, exchange: Exchange) -> None:
    """An instance that broke off may serve again, but only when it has done what it does for others."""
    for instance in stage.environment.instances:
        instance.limit = 1
        instance.inflight = 2 if instance is exchange.instance else 1


CASES += [
    (FORWARDING, event, GET, others_are_busy_and_this_one_too, WAITING) for event in ("upstream_ended", "upstream_lost")
]


def tell(exchange: Exchange, event: str) -> None:
    """Tell it this, as its connections would."""
    if event == "fail":
        exchange.fail(ProxyError("proxy_stopped"))
    elif event == "upstream_refused":
        exchange.upstream_refused(111)
    else:
        getattr(exchange, event)()


@pytest.mark.parametrize(
    ("phase", "event", "request_", "before", "after"),
    CASES,
    ids=[f"{NAMES[phase]}-{event}-{NAMES[after]}-{number}" for number, (phase, event, _, _, after) in enumerate(CASES)],
)
def test_an_event_leads_where_the_table_says(phase: int, event: str, request_: bytes, before: Act, after: int) -> None:
    with staged() as stage:
        exchange = at(stage, phase, request_)
        before(stage, exchange)
        tell(exchange, event)
        assert exchange.phase == after
        assert exchange.phase in TABLE[phase][event]
        assert (stage.client.ended is not None) == (after == DONE)


def test_every_cell_is_walked_to_every_phase_that_it_names() -> None:
    walked: dict[tuple[int, str], set[int]] = {}
    for phase, event, _, _, after in CASES:
        walked.setdefault((phase, event), set()).add(after)
    assert walked == {(phase, event): set(cell) for phase, row in TABLE.items() for event, cell in row.items()}


def test_what_an_instance_does_comes_only_while_there_is_one() -> None:
    told_by_instances = {"response_data", *(name for name in dir(Exchange) if name.startswith("upstream_"))}
    for phase in (DECIDING, CHECKING, WAITING, SERVING, DONE):
        assert not told_by_instances & set(TABLE[phase])
        with staged() as stage:
            assert at(stage, phase).upstream is None


# spec: L5
@pytest.mark.parametrize("phase", range(DONE))
def test_whatever_ends_it_nothing_stays_taken(phase: int) -> None:
    with staged() as stage:
        exchange = at(stage, phase)
        before = [instance.inflight for instance in stage.environment.instances] if phase == WAITING else [0, 0]
        exchange.fail(ProxyError("proxy_stopped"))
        assert [instance.inflight for instance in stage.environment.instances] == before
        assert stage.engine.queue.count == 0
        assert not stage.environment.waiting
