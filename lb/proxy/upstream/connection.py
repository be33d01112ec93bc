"""A connection to an instance: it knows its instance and the exchange that it serves, and passes on what happens."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lb.errors import connecting_cause
from lb.http.head import RequestHead
from lb.proxy.http1.message_writer import MessageWriter
from lb.proxy.io.deadlines import NEVER
from lb.routing.instance import Instance

if TYPE_CHECKING:
    from lb.proxy.engine import Engine

LONGEST_IDLE = 60.0
"""Seconds after which an idle connection to an instance is closed from here."""

_LINGER = 5.0  # seconds for an instance to end its side after the last word of a tunnel


class Upstream(MessageWriter):
    """One connection to an instance. `handler` is whom it serves, None while it is idle; `reused` that it has served
    before. Whoever calls a handler holds it by a name of his own: it may end in that call, and nobody else knows it
    then.
    """

    __slots__ = ("engine", "idle_since", "instance", "pooled", "reused")

    def __init__(self, engine: Engine, instance: Instance) -> None:
        super().__init__()
        self.engine = engine
        self.instance = instance
        self.idle_since = 0.0
        self.reused = self.pooled = False
        self.deadline = NEVER

    def reach(self) -> int:
        """Begin to connect to the instance; 0 or EINPROGRESS, and then it counts as one of its connections, or the
        errno with which that failed.
        """
        instance = self.instance
        error = self.connect(self.engine.poller, instance.family, instance.address, instance.packed)
        if error in (0, errno.EINPROGRESS):
            instance.connected()
        return error

    def connected(self) -> None:
        handler = self.handler
        if handler is not None:
            handler.upstream_connected()

    def connect_failed(self, error: int) -> None:
        self.instance.disconnected()
        self.engine.deadlines.forget(self)
        handler = self.handler
        if handler is not None:
            handler.upstream_refused(error)

    def why(self, error: int) -> str:
        """The cause code for the errno with which it could not be made."""
        path = self.instance.address
        if error == errno.ECONNREFUSED and isinstance(path, str):
            with suppress(OSError):  # it may have gone meanwhile
                if not stat.S_ISSOCK(Path(path).stat().st_mode):
                    error = errno.ENOTSOCK  # Linux says "refused" of a plain file, too
        return connecting_cause(error)

    def received(self) -> None:
        handler = self.handler
        if handler is not None:
            handler.response_data()
        else:
            self.abort()  # bytes that nobody asked for

    def ended(self) -> None:
        handler = self.handler
        if handler is not None:
            handler.upstream_ended()
        else:
            self.instance.closed_idle(self.engine.poller.now - self.idle_since)
            self.abort()

    def drained(self) -> None:
        handler = self.handler
        if handler is not None:
            handler.upstream_drained()
        elif self.is_closing():  # slow, and still reading what is left of a tunnel
            self._await_end()

    def lost(self) -> None:
        self.instance.disconnected()
        self.engine.deadlines.forget(self)
        handler = self.handler
        if handler is not None:
            self.handler = None
            handler.upstream_lost()
        elif self.pooled:
            self.pooled = False
            self.instance.lost_idle(self)

    def expired(self) -> None:
        handler = self.handler
        if handler is not None:
            handler.upstream_late()
        elif self.is_closing() and self.backlog() and self.takes():
            self._await_end()
        else:
            self.abort()

    def request(
        self,
        head: RequestHead,
        lines: bytes,
        fields: bytes,
        identity: bytes | None,
        protocol: bytes | None,
        keep_alive: bool,
    ) -> None:
        """The request of `head`; where it has a body, it goes out with what comes first of that.

        `lines` and `fields` are its lines as they go on, `identity` is its identifier where these do not have it,
        `protocol` what it asks to change to, if anything.
        """
        end = b"Transfer-Encoding: chunked\r\n\r\n" if head.chunked else b"\r\n"
        if protocol is not None:
            end = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n" + end
        elif not keep_alive:
            end = b"Connection: close\r\n" + end
        if identity is None:
            text = b"".join((lines, fields, end))
        else:
            text = b"".join((lines, fields, b"X-Request-Id: ", identity, b"\r\n", end))
        if head.chunked or head.body_length > 0:
            self.begin(text, head.chunked)
        else:
            self._chunking = False
            self.send(text)

    def release(self, keep: bool) -> None:
        """The exchange is done with it: to the pool, or away."""
        self.handler = None
        self.greedy = False
        instance = self.instance
        if keep and not self.closed and not instance.retired and len(instance.idle) < instance.most_idle:
            self.reused = self.pooled = True
            self.idle_since = self.engine.poller.now
            instance.keep_idle(self)
            self.engine.deadlines.watch(self, self.idle_since + LONGEST_IDLE)
        else:
            self.abort()

    def left_pool(self) -> None:
        """It is taken for a request."""
        self.pooled = False

    def part(self) -> None:
        """The tunnel is done with it: what is queued still goes, and what comes is thrown away."""
        self.handler = None
        self.close_lingering()
        if not self.closed:
            self._await_end()

    def _await_end(self) -> None:
        patience = _LINGER
        if self.backlog():
            self.takes()
            patience = self.engine.snapshot.read
        self.engine.deadlines.watch(self, self.engine.poller.now + patience)
