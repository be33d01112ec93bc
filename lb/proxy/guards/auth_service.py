"""One authentication service as a worker uses it: its addresses, and how many requests ask it at once.

A name is looked up when it is first needed, and again from time to time; meanwhile the addresses that are known are
used. Whoever asks gets a turn, and says when it is over; those that have none yet wait in order. It knows names and
numbers; what is asked, and over which connection, is for `service_guard` to know.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from lb.errors import ProxyError
from lb.routing.instance import Instance

if TYPE_CHECKING:
    from lb.proxy.engine import Engine

log = logging.getLogger("lb.proxy")

_MOST_BUSY = 64  # requests that ask at once, and so connections
_MOST_WAITING = 256
_FRESH = 10.0  # seconds for which addresses are used before they are looked up again
_AGAIN = 1.0  # seconds until a name that had none is looked up again
_SILENCE = 60.0  # seconds between two lines about a name
_NO_ADDRESS = "its name has no address"
_Address = tuple[int, str]


class Asker(Protocol):
    """A request that asks."""

    def go(self, addresses: Sequence[Instance]) -> None:
        """Its turn has come."""

    def refused(self, error: ProxyError) -> None:
        """It gets no turn, or its turn began with a fault; then it says that the turn is over, as ever."""


class AuthService:
    """The service at a host and a port. `busy` counts the requests that have a turn."""

    __slots__ = (
        "_addresses",
        "_engine",
        "_host",
        "_is_name",
        "_is_serving",
        "_looked_at",
        "_lookup",
        "_port",
        "_silent_until",
        "_waiting",
        "busy",
    )

    def __init__(self, engine: Engine, host: str, port: int) -> None:
        self._engine = engine
        self._host = host
        self._port = port
        self._addresses: list[Instance] = []
        self._waiting: deque[Asker] = deque()
        self._lookup: asyncio.Task[None] | None = None
        self._looked_at = -_FRESH
        self._silent_until = 0.0
        self._is_serving = False
        self.busy = 0
        family = _family_of(host)
        self._is_name = family is None
        if family is not None:
            self._use([(family, host)])

    def enter(self, asker: Asker) -> None:
        """Give this one a turn, now or when there is one. Raises ProxyError: forward_auth_unavailable."""
        if self._is_name and self._lookup is None:
            fresh = _FRESH if self._addresses else _AGAIN
            if self._engine.poller.now - self._looked_at >= fresh:
                self._lookup = self._engine.poller.loop.create_task(self._look_up())
            elif not self._addresses:
                raise ProxyError("forward_auth_unavailable", _NO_ADDRESS)
        if self._addresses and self.busy < _MOST_BUSY:
            self._begin(asker)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting.append(asker)
        else:
            raise ProxyError("forward_auth_unavailable", "too many requests wait for it")

    def forget(self, asker: Asker) -> None:
        """It no longer waits for a turn."""
        if asker in self._waiting:
            self._waiting.remove(asker)

    def left(self) -> None:
        """A turn is over."""
        self.busy -= 1
        self._serve()

    def worked(self, instance: Instance) -> None:
        """A connection to this address was made: the next request tries it first."""
        if self._addresses and self._addresses[0] is not instance and instance in self._addresses:
            self._addresses.remove(instance)
            self._addresses.insert(0, instance)

    def _begin(self, asker: Asker) -> None:
        self.busy += 1
        asker.go(tuple(self._addresses))

    def _serve(self) -> None:
        if self._is_serving:
            return  # one whose turn is over at once says so within the loop below, which goes on
        self._is_serving = True
        try:
            while self._waiting and self._addresses and self.busy < _MOST_BUSY:
                asker = self._waiting.popleft()
                try:
                    self._begin(asker)
                except Exception:  # the others have their turn whatever happens to one
                    log.exception("the authentication service %s could not be asked", self._host)
                    asker.refused(ProxyError("forward_auth_unavailable"))
        finally:
            self._is_serving = False

    async def _look_up(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._use([(int(family), str(address[0])) for family, _, _, _, address in found if family in _FAMILIES])
        except OSError as error:
            self._say(str(error.strerror or error))
        finally:
            self._lookup = None
            self._looked_at = self._engine.poller.now
        if self._addresses:
            self._serve()
            return
        refused, self._waiting = self._waiting, deque()
        for asker in refused:
            asker.refused(ProxyError("forward_auth_unavailable", _NO_ADDRESS))

    def _use(self, found: Sequence[_Address]) -> None:
        known = {(one.family, one.address[0]): one for one in self._addresses}
        self._addresses = [known[key] if key in known else self._instance(*key) for key in dict.fromkeys(found)]
        self._engine.retire([one for one in known.values() if one not in self._addresses])

    def _instance(self, family: int, address: str) -> Instance:
        made = Instance(self._host, family, (address, self._port))
        made.equip(_MOST_BUSY, 0.0, b"")
        return made

    def _say(self, reason: str) -> None:
        now = self._engine.poller.now
        if now >= self._silent_until:
            self._silent_until = now + _SILENCE
            log.error("the authentication service %s has no address: %s", self._host, reason)


_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def _family_of(host: str) -> int | None:
    """The family of an address in text; None for a name."""
    for family in _FAMILIES:
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family
    return None
