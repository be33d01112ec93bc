"""TLS handshakes that are held because the certificate for their name is still being made.

A certificate is requested when a name first comes up. Later handshakes for it are held, too, until it is there
(`arrived`), until it is known that there will be none (`deny`), until their own time is over or the client leaves. A
denied name is refused at once for a while, so that it is not requested again and again.

Names come from anyone, so everything is bounded: places for connections, a part of them for one client, names that are
known. It does not know TLS, sockets or how a certificate is made: times are passed in, in seconds of the monotonic
clock, and connections are told to go on or that they are turned down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Protocol

_FORGET = 60.0  # seconds for which a requested name counts as being made if no answer comes
_DENIED = 5.0  # seconds for which a name is refused without another request
_MOST_NAMES = 1000
_SHARE = 8  # one client gets at most this fraction of the places


class Waiter(Hashable, Protocol):
    """A connection in the middle of its handshake."""

    def go_on(self) -> None:
        """Its certificate is there, or was a moment ago."""

    def turn_down(self) -> None:
        """There will be none in time."""


class _Name:
    """`until` then it counts as requested or, if `denied`, is refused."""

    __slots__ = ("denied", "until", "waiters")

    def __init__(self, until: float) -> None:
        self.until = until
        self.denied = False
        self.waiters: dict[Waiter, None] = {}


class PendingHandshakes:
    """The held handshakes of one worker. `admits` says whether a name may be requested now: not too often, and not too
    many.
    """

    def __init__(self, admits: Callable[[str, float], bool]) -> None:
        self._admits = admits
        self._names: dict[str, _Name] = {}
        self._waiting: dict[Waiter, tuple[str, int]] = {}  # → name, client
        self._by_client: dict[int, int] = {}
        self._asked = ""
        self._closed = False
        self.total = 0
        """Handshakes that have waited."""
        self.refused = 0
        """Handshakes that were refused: their names get no certificate, or they may not wait."""
        self.unknown = 0
        """Handshakes that were refused because no certificate covers their names, and none is available on demand."""
        self.timed_out = 0
        """Handshakes whose certificates did not come in time; counted by the part that sets their deadline."""
        self.on_miss: Callable[[str], None] = lambda _: None
        """Requests a certificate for this name."""

    @property
    def waiting(self) -> int:
        """How many handshakes wait now."""
        return len(self._waiting)

    def figures(self) -> tuple[tuple[str, int], ...]:
        """The counts, by the names of the counters."""
        return (
            ("tls_waiting", self.waiting),
            ("tls_held_total", self.total),
            ("tls_refused_total", self.refused),
            ("tls_unknown_total", self.unknown),
            ("tls_timed_out_total", self.timed_out),
        )

    # Called by a handshake

    def may_hold(self, name: str, now: float) -> bool:
        """Whether a handshake for this name, which has no certificate, has to wait; if so, `hold` follows at once."""
        if self._closed:
            return False
        self._asked = name
        known = self._known(name, now)
        if known is None or not known.denied:
            return True
        self.refused += 1
        return False

    def is_new(self, now: float) -> bool:
        """Whether the name of the handshake that has to wait has not been requested."""
        return self._known(self._asked, now) is None

    def hold(self, waiter: Waiter, client: int, places: int, now: float) -> bool:
        """Let this connection wait for the name that `may_hold` allowed; False if it cannot.

        `client` is the key of its client, 0 for one that is not counted; `places` how many may wait.
        """
        name = self._asked
        self.mention(name, now)
        known = self._known(name, now)
        count = self._by_client.get(client, 0) if client else 0
        full = len(self._waiting) >= places or (client and count >= max(places // _SHARE, 1))
        if known is None or known.denied or full:
            self.refused += 1
            return False
        if client:
            self._by_client[client] = count + 1
        self.total += 1
        known.waiters[waiter] = None
        self._waiting[waiter] = name, client
        return True

    def mention(self, name: str, now: float) -> None:
        """Request a certificate for this name, unless that was done just now."""
        known = self._known(name, now)
        if (known is not None and known.denied) or (known is None and not self._has_room(now)):
            return
        if self._admits(name, now):
            if known is None:
                known = self._names[name] = _Name(0.0)
            known.until = now + _FORGET
            self.on_miss(name)

    def leave(self, waiter: Waiter) -> None:
        """Stop this connection from waiting, if it did."""
        name, client = self._waiting.pop(waiter, ("", 0))
        if name:
            self._names[name].waiters.pop(waiter)
        if client:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def refuse(self) -> None:
        """A handshake that was not allowed to wait is refused."""
        self.refused += 1

    def count_unknown(self) -> None:
        """One is refused because no certificate covers its name, and none is available on demand."""
        self.unknown += 1

    def time_out(self) -> None:
        """One has waited as long as it may."""
        self.timed_out += 1

    # Outcomes

    def arrived(self, covers: Callable[[str], bool], wanted: Callable[[str], bool]) -> None:
        """The certificates have changed: handshakes with one now go on; those whose name may no longer have one are
        refused.
        """
        for name in list(self._names):
            if covers(name):
                for waiter in self._forget(name):
                    waiter.go_on()
            elif not wanted(name):
                self._turn_down(self._forget(name))

    def deny(self, name: str, now: float) -> None:
        """Turn down the handshakes that wait for this name, and those that come soon: it gets no certificate now."""
        if name in self._names:
            waiters = self._forget(name)
            known = self._names[name] = _Name(now + _DENIED)
            known.denied = True
            self._turn_down(waiters)

    def ask_again(self) -> None:
        """The certificate process may have forgotten the requests: repeat them for every name that is waited for."""
        for name, known in self._names.items():
            if known.waiters:
                self.on_miss(name)

    def close(self) -> None:
        """Stop holding handshakes."""
        self._closed = True
        for name in list(self._names):
            self._turn_down(self._forget(name))

    def _turn_down(self, waiters: Collection[Waiter]) -> None:
        self.refused += len(waiters)
        for waiter in waiters:
            waiter.turn_down()

    def _known(self, name: str, now: float) -> _Name | None:
        known = self._names.get(name)
        return None if known is None or (now >= known.until and not known.waiters) else known

    def _has_room(self, now: float) -> bool:
        if len(self._names) >= _MOST_NAMES:
            for name in [name for name in self._names if self._known(name, now) is None]:
                del self._names[name]
        return len(self._names) < _MOST_NAMES

    def _forget(self, name: str) -> list[Waiter]:
        """Remove a name; returns the connections that waited for it."""
        waiters = list(self._names[name].waiters)
        for waiter in waiters:
            self.leave(waiter)
        del self._names[name]
        return waiters
