"""A connection to an instance: it knows its instance and the exchange it serves, and passes events on."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lb.errors import connecting_cause, connecting_detail
from lb.http.head import RequestHead
from lb.proxy.http1.message_writer import MessageWriter
from lb.proxy.io.deadlines import NEVER
from lb.proxy.upstream.tls_faults import tls_fault
from lb.routing.instance import Instance

if TYPE_CHECKING:
    from lb.proxy.engine import Engine

LONGEST_IDLE = 60.0
"""Seconds after which we close an idle connection to an instance."""

_LINGER = 5.0  # seconds for an instance to close its side after the last bytes of a tunnel


class Upstream(MessageWriter):
    """One connection to an instance. `handler` is the exchange that it serves, None while it is idle; `reused` means
    that it has served before, `securing` that its TLS handshake is under way. `greeting` goes out before everything
    else; `first_error` is the errno with which the instance could not be reached at its usual address, if this is the
    attempt at its alternate one. A caller of a handler holds it in a local variable: it may end in that call, and there
    may be no other reference.
    """

    __slots__ = ("engine", "first_error", "greeting", "idle_since", "instance", "pooled", "reused", "securing")

    def __init__(self, engine: Engine, instance: Instance) -> None:
        super().__init__()
        self.engine = engine
        self.instance = instance
        self.idle_since = 0.0
        self.reused = self.pooled = self.securing = False
        self.greeting = b""
        self.first_error = 0
        self.deadline = NEVER

    def reach(self) -> int:
        """Begin to connect to the instance. Returns 0 or EINPROGRESS, and then it counts as one of its connections, or
        the errno of the failure.
        """
        instance = self.instance
        family, address, packed = instance.family, instance.address, instance.packed
        if self.first_error and instance.alternate is not None:
            family, address, packed = instance.alternate
        error = self.connect(self.engine.poller, family, address, packed)
        if error in (0, errno.EINPROGRESS):
            instance.connected()
            if error == 0 and self._prepare():
                return errno.EINPROGRESS
        return error

    def _prepare(self) -> bool:
        """It is connected: send what comes first, and begin the handshake; True if there is one to wait for."""
        instance = self.instance
        if self.first_error:
            instance.prefer_alternate()
        if self.greeting:
            self.send(self.greeting)
        if instance.tls is None:
            return False
        self.securing = True
        self.start_tls(instance.tls)
        return True

    def connected(self) -> None:
        if self._prepare():
            return
        handler = self.handler
        if handler is not None:
            handler.upstream_connected()

    def handshaken(self) -> None:
        self.securing = False
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
        """The cause code for the errno of a failed connect, or of a failed handshake."""
        if self.securing:
            return tls_fault(self.tls_failure or ("", ""))[0]
        error = self.first_error or error
        path = self.instance.address
        if error == errno.ECONNREFUSED and isinstance(path, str):
            with suppress(OSError):  # it may have gone meanwhile
                if not stat.S_ISSOCK(Path(path).stat().st_mode):
                    error = errno.ENOTSOCK  # Linux says "refused" of a plain file, too
        return connecting_cause(error)

    def detail(self, cause: str, error: int) -> str:
        """What there is to say beside the cause; "" if nothing."""
        if self.securing:
            return tls_fault(self.tls_failure or ("", ""))[1]
        return connecting_detail(cause, self.first_error or error)

    def why_lost(self) -> str:
        """The cause code for a connection that broke after it was made."""
        return "connection_terminated" if self.tls_failure is None else tls_fault(self.tls_failure)[0]

    def received(self) -> None:
        handler = self.handler
        if handler is not None:
            handler.response_data()
        else:
            self.abort()  # unsolicited bytes

    def ended(self) -> None:
        handler = self.handler
        if self.securing:
            self.abort()
        elif handler is not None:
            handler.upstream_ended()
        else:
            self.instance.closed_idle(self.engine.poller.now - self.idle_since)
            self.abort()

    def drained(self) -> None:
        handler = self.handler
        if handler is not None:
            handler.upstream_drained()
        elif self.is_closing():  # slow, but still reading the rest of a tunnel
            self._await_end()

    def lost(self) -> None:
        self.instance.disconnected()
        self.engine.deadlines.forget(self)
        handler = self.handler
        if self.securing:
            self.instance.tls.forget()  # type: ignore[union-attr]  # it is what is being set up
        if handler is not None:
            self.handler = None
            if self.securing:
                handler.upstream_refused(errno.EPROTO)
            else:
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
        """Send the request of `head`; if it has a body, together with the first bytes of that.

        `lines` and `fields` are its lines as they are forwarded, `identity` is its identifier if these do not contain
        it, `protocol` the one it asks to switch to, if any.
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
        """The exchange is done with it: return it to the pool, or close it."""
        self.handler = None
        self.large_reads = False
        instance = self.instance
        if instance.tls is not None and not self.reused and self.secured is not None and not self.securing:
            instance.tls.remember(self.secured)
        if keep and not self.closed and not instance.retired and len(instance.idle) < instance.most_idle:
            self.reused = self.pooled = True
            self.idle_since = self.engine.poller.now
            instance.keep_idle(self)
            self.engine.deadlines.watch(self, self.idle_since + LONGEST_IDLE)
        else:
            self.abort()

    def left_pool(self) -> None:
        """It was taken for a request."""
        self.pooled = False

    def part(self) -> None:
        """The tunnel is done with it: the backlog is still sent, and what arrives is discarded."""
        self.handler = None
        self.close_lingering()
        if not self.closed:
            self._await_end()

    def _await_end(self) -> None:
        timeout = _LINGER
        if self.backlog():
            self.takes()
            timeout = self.engine.snapshot.read
        self.engine.deadlines.watch(self, self.engine.poller.now + timeout)
