"""Which connection is closed when there is no room for another: at the connection limit, or without descriptors.

First goes one that has not made a whole request within two seconds: every connection of a flood is such a one, whether
it says nothing, stalls in its TLS handshake or drips a head. Then come those between two requests, and those that have
had our last word and are only drained, in the order in which they became so. One with a request under way never goes;
nor does one whose request has arrived and is yet to be read.

A connection that was turned away is not counted against the limit, so closing it makes no room for another. It is kept
apart for as long as it may take to read its answer, and there are few of them. When descriptors are lacking, these go
before all others.

Idle connections are not kept in order, which would cost something at every request. They are scanned when one has to
go, and the oldest are noted: those stay the oldest, since one that becomes active meanwhile gets younger. A scan costs
time for every connection, so scans that do not find enough have a budget: few connections are scanned whenever one
asks for room, many only some times a second.

It knows only what clients tell of themselves, and nothing of messages.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from operator import itemgetter
from typing import Protocol

from lb.routing.instance import Instance

FIRST_REQUEST_TIMEOUT = 2.0
"""Seconds that a connection has for its first request before it may be closed, and any other for a head begun."""

_NOTED = 256  # idle connections noted in one scan
_PACE = 1e-5  # seconds of waiting charged for scanning one connection: fifty times what it takes
_SLACK = 0.1  # seconds of waiting that may accumulate
MOST_TURNED_AWAY = 256
"""Most clients that are still read from after they were turned away."""


class Evictable(Hashable, Protocol):
    """A client's connection, as seen by eviction."""

    @property
    def closed(self) -> bool: ...

    @property
    def deadline(self) -> float: ...

    def abort(self) -> None: ...

    def can_go(self) -> bool:
        """Whether no request is lost by closing it."""

    def may_be_spared(self, now: float) -> bool:
        """Whether it is counted and has no request under way."""

    def idle_since(self) -> float:
        """When its present state began."""


class Evictor:
    """The connections of one worker, ordered by how little each would be missed."""

    __slots__ = ("_idle", "_looked_until", "_no_request_yet", "_turned_away", "most_turned_away")

    def __init__(self) -> None:
        self._no_request_yet: OrderedDict[Evictable, float] = OrderedDict()  # → when it was accepted
        self._idle: list[tuple[float, float, Evictable]] = []  # idle since, its deadline then; the oldest last
        self._looked_until = 0.0  # scanning is paid for up to then
        self._turned_away: OrderedDict[Evictable, None] = OrderedDict()
        self.most_turned_away = MOST_TURNED_AWAY

    def came(self, client: Evictable, now: float) -> None:
        """A connection was accepted."""
        self._no_request_yet[client] = now

    def spoke(self, client: Evictable) -> None:
        """It has made a whole request, or is closed."""
        self._no_request_yet.pop(client, None)

    def turned_away(self, client: Evictable) -> None:
        """It was turned away, and is only being closed: it is no longer counted."""
        if len(self._turned_away) >= self.most_turned_away:
            self._close_turned_away()
        self._turned_away[client] = None

    def forget(self, client: Evictable) -> None:
        """One that was turned away is closed."""
        self._turned_away.pop(client, None)

    def make(self, clients: Iterable[Evictable], now: float) -> bool:
        """Close one of these clients, all of which are counted; False if none can be closed."""
        return self._close_silent(now) or self._close_idle(clients, now)

    def free_descriptor(self, clients: Iterable[Evictable], now: float) -> bool:
        """Close any connection that can go, one that was turned away before all others; False if there is none."""
        return self._close_turned_away() or self.make(clients, now)

    def close(self) -> None:
        """Stop reading from those that were turned away."""
        while self._close_turned_away():
            pass

    def _close_turned_away(self) -> bool:
        if not self._turned_away:
            return False
        client, _ = self._turned_away.popitem(last=False)
        client.abort()
        return True

    def _close_silent(self, now: float) -> bool:
        for _ in range(len(self._no_request_yet)):
            client, since = next(iter(self._no_request_yet.items()))
            if now - since < FIRST_REQUEST_TIMEOUT:
                return False
            if client.can_go():
                client.abort()  # which takes it out of here
                return True
            self._no_request_yet.move_to_end(client)
            self._no_request_yet[client] = now  # what it sent is being read now
        return False

    def _close_idle(self, clients: Iterable[Evictable], now: float) -> bool:
        if not self._idle and self._looked_until <= now + _SLACK:
            self._look(clients, now)
        while self._idle:
            _, deadline, client = self._idle.pop()
            if not client.closed and client.deadline == deadline and client.can_go():
                client.abort()
                return True
        return False

    def _look(self, clients: Iterable[Evictable], now: float) -> None:
        looked = 0
        found = []
        for client in clients:
            looked += 1
            if client.may_be_spared(now):
                found.append((client.idle_since(), client.deadline, client))
        self._idle = heapq.nsmallest(_NOTED, found, key=itemgetter(0))
        self._idle.reverse()
        if len(self._idle) < _NOTED:
            self._looked_until = max(self._looked_until, now) + looked * _PACE


def close_idle(instances: Iterable[Instance], most: int) -> int:
    """Close up to `most` idle connections to these instances, the oldest of each first; returns how many."""
    closed = 0
    for instance in instances:
        while instance.idle and closed < most:
            instance.idle[0].abort()  # type: ignore[attr-defined]  # an Upstream, which takes itself out of there
            closed += 1
    return closed
