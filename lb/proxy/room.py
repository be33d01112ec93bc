"""Which connection has to go when there is no room for another one: at the bound on connections, or without
descriptors.

First goes whoever was told already that there is no room. Then who has not made one whole request: it has had two
seconds for it, and every connection of a flood is such a one, whether it says nothing, stalls in its TLS handshake or
drips a head. Then those between two requests, the one that has been idle longest first. Who has a request under way
never goes; nor does one whose request has just come and is yet to be read.

The idle ones are not kept in order, which would cost something at every request. They are looked through when one has
to go, and the oldest of them noted: those stay the oldest, for whoever speaks meanwhile is younger by that. Looking
costs time for every connection, so after one that did not find enough there is a pause before the next.

It knows clients by what they tell of themselves, and nothing of messages.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lb.proxy.client import Client

PATIENCE = 2.0
"""Seconds that a connection has for its first request before it may have to go, and any other for a head begun."""

_NOTED = 256  # idle connections that one look notes
_PAUSE = 1.0  # seconds between two looks when there is little to be found
_TURNED_AWAY = 256  # clients that are listened to after they were told that there is no room, at most


class Room:
    """The connections of one worker by how little they would be missed."""

    __slots__ = ("_idle", "_look_at", "_silent", "_turned_away")

    def __init__(self) -> None:
        self._silent: OrderedDict[Client, float] = OrderedDict()  # → when it came
        self._idle: list[tuple[float, float, Client]] = []  # since when it is idle, its deadline then; the oldest last
        self._look_at = 0.0
        self._turned_away: deque[Client] = deque()

    def came(self, client: Client, now: float) -> None:
        """A connection was accepted."""
        self._silent[client] = now

    def spoke(self, client: Client) -> None:
        """It has made a whole request, or is gone."""
        self._silent.pop(client, None)

    def turned_away(self, client: Client) -> None:
        """It was told that there is no room, and is only being closed."""
        self.spoke(client)
        if len(self._turned_away) == _TURNED_AWAY:
            self._turned_away.popleft().abort()
        self._turned_away.append(client)

    def make(self, clients: Iterable[Client], now: float) -> bool:
        """Close one of these clients; False when none can be spared."""
        while self._turned_away:
            client = self._turned_away.popleft()
            if not client.closed:
                client.abort()
                return True
        return self._close_silent(now) or self._close_idle(clients, now)

    def _close_silent(self, now: float) -> bool:
        for _ in range(len(self._silent)):
            client, since = next(iter(self._silent.items()))
            if now - since < PATIENCE:
                return False
            if client.can_go():
                client.abort()  # which takes it out of here
                return True
            self._silent.move_to_end(client)
            self._silent[client] = now  # what it said is being read now
        return False

    def _close_idle(self, clients: Iterable[Client], now: float) -> bool:
        if not self._idle and now >= self._look_at:
            self._look(clients, now)
        while self._idle:
            _, deadline, client = self._idle.pop()
            if not client.closed and client.deadline == deadline and client.can_go():
                client.abort()
                return True
        return False

    def _look(self, clients: Iterable[Client], now: float) -> None:
        found = [
            (client.idle_since(), client.deadline, client) for client in clients if client.is_between_requests(now)
        ]
        self._idle = heapq.nsmallest(_NOTED, found, key=itemgetter(0))
        self._idle.reverse()
        if len(self._idle) < _NOTED:
            self._look_at = now + _PAUSE
