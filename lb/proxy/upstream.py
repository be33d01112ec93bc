"""A connection to an instance: it knows its instance and the exchange that it serves, and passes on what happens."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lb.errors import connecting_cause
from lb.proxy.deadlines import NEVER
from lb.proxy.wire import Wire
from lb.routing.instance import Instance

if TYPE_CHECKING:
    from lb.proxy.conversation import Conversation
    from lb.proxy.engine import Engine

LONGEST_IDLE = 60.0
"""Seconds after which an idle connection to an instance is closed from here."""

_POOLED = 256  # idle connections kept for an instance


class Upstream(Wire):
    """One connection to an instance. `exchange` is whom it serves, None while it is idle; `reused` that it has served
    before. Whoever calls an exchange holds it by a name of his own: it may end in that call, and nobody else knows it
    then.
    """

    __slots__ = ("engine", "exchange", "idle_since", "instance", "pooled", "reused")

    def __init__(self, engine: Engine, instance: Instance) -> None:
        super().__init__()
        self.engine = engine
        self.instance = instance
        self.exchange: Conversation | None = None
        self.idle_since = 0.0
        self.reused = self.pooled = False
        self.deadline = NEVER

    def connected(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.upstream_connected()

    def connect_failed(self, error: int) -> None:
        self.engine.deadlines.forget(self)
        exchange = self.exchange
        if exchange is not None:
            exchange.upstream_refused(self, error)

    def why(self, error: int) -> str:
        """The cause code for the errno with which it could not be made."""
        path = self.instance.address
        if error == errno.ECONNREFUSED and isinstance(path, str):
            with suppress(OSError):  # it may have gone meanwhile
                if not stat.S_ISSOCK(Path(path).stat().st_mode):
                    error = errno.ENOTSOCK  # Linux says "refused" of a plain file, too
        return connecting_cause(error)

    def received(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.response_data()
        else:
            self.abort()  # bytes that nobody asked for

    def ended(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.upstream_ended()
        else:
            self.instance.closed_idle(self.engine.poller.now - self.idle_since)
            self.abort()

    def drained(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.upstream_drained()

    def lost(self) -> None:
        self.engine.deadlines.forget(self)
        exchange = self.exchange
        if exchange is not None:
            self.exchange = None
            exchange.upstream_lost()
        elif self.pooled:
            self.pooled = False
            self.instance.idle.remove(self)

    def expired(self) -> None:
        exchange = self.exchange
        if exchange is not None:
            exchange.upstream_late()
        else:
            self.abort()

    def release(self, keep: bool) -> None:
        """The exchange is done with it: to the pool, or away."""
        self.exchange = None
        self.greedy = False
        if keep and not self.closed and not self.instance.retired and len(self.instance.idle) < _POOLED:
            self.reused = self.pooled = True
            self.idle_since = self.engine.poller.now
            self.instance.idle.append(self)
            self.engine.deadlines.watch(self, self.idle_since + LONGEST_IDLE)
        else:
            self.abort()
