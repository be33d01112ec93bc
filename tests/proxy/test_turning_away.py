"""What becomes of connections over the limit: which are counted, and how many there may be."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lb.http.head import Limits
from lb.proxy.descriptors import OURS, Shortage, connections_within, turned_away_within
from lb.proxy.engine import Engine
from lb.proxy.http1.accept import ClientListener
from lb.routing.clients import Clients
from lb.routing.networks import Networks
from lb.routing.snapshot import Snapshot
from lb.routing.table import Table
from lb.telemetry.access_log import AccessLog
from lb.telemetry.counters import Slab

# spec: L5


@contextmanager
def _engine() -> Iterator[Engine]:
    snapshot = Snapshot(Table({}), Limits(), lambda _: None, Networks(()))
    loop = asyncio.get_running_loop()
    engine = Engine(loop, snapshot, AccessLog("-", "off"), None, Slab(1).row(0), Clients())
    engine.switch(snapshot)
    try:
        yield engine
    finally:
        engine.close()


async def test_one_that_is_turned_away_is_not_counted() -> None:
    with _engine() as engine:
        engine.max_connections = 1
        listener = ClientListener(engine, b"http", None)
        pairs = [socket.socketpair() for _ in range(3)]
        for _, ours in pairs:
            ours.setblocking(False)
            listener.accepted(ours.detach(), b"192.0.2.1", 1)
            assert engine.open_connections == 1
        heads = []
        for theirs, _ in pairs[1:]:
            theirs.settimeout(5)
            heads.append(theirs.recv(65536))
        assert all(head.startswith(b"HTTP/1.1 503 ") and b"(limits" not in head for head in heads)
        assert all(b"limits.connections" in head for head in heads)
        for theirs, _ in pairs:
            theirs.close()


@pytest.mark.parametrize("listeners", [1, 30])
@pytest.mark.parametrize("descriptors", [16, 48, 64, 100, 256, 1024, 4096, 20_000, 1 << 20])
def test_what_was_let_in_can_be_served(descriptors: int, listeners: int) -> None:
    connections = connections_within(descriptors, listeners)
    turned_away = turned_away_within(descriptors, listeners)
    assert connections >= 1
    assert turned_away >= 1
    if descriptors >= 80:
        assert 2 * connections + turned_away + listeners <= descriptors - 20


def test_a_shortage_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    # spec: E3
    shortage = Shortage()
    with caplog.at_level(logging.ERROR, "lb.proxy"):
        for now in (100.0, 101.0, 159.0, 160.0):
            shortage.say(errno.EMFILE, now)
    assert len(caplog.records) == 2
    assert "LimitNOFILE" in caplog.messages[0]


@pytest.mark.parametrize("error", sorted(OURS))
def test_each_shortage_has_words(error: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "lb.proxy"):
        Shortage().say(error, 1.0)
    assert "out of" in caplog.messages[0]
