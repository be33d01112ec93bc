"""A client's HTTP/1 connection: one request after the other becomes an exchange.

It knows when a request begins, and that the next one waits until the exchange is done; what a request means is the
exchange's business. Requests that cannot be read end the connection, since nobody can say where the next one would
begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import CAUSES, ProxyError
from lb.http.forwarding import around_host, host_value
from lb.http.head import RequestHead
from lb.http.reply import error_reply, render
from lb.proxy.deadlines import NEVER
from lb.proxy.exchange import Exchange
from lb.proxy.listener import Listener
from lb.proxy.memory_tls import Certificate, Terminator
from lb.proxy.wire import Wire
from lb.routing.route import Route
from lb.routing.table import host_name

if TYPE_CHECKING:
    from lb.proxy.engine import Engine

_AHEAD = 65536  # bytes that a client may send ahead of its turn
_LINGER = 5.0  # seconds for which a client that is still sending is listened to after our last word
# Seconds for a client that shut its side to see its answer (it may be waiting, or it may be gone), and for one that
# is to go to
# bring the request that is on its way.
_GRACE = 1.0
_IN_A_ROW = 32  # requests that one connection gets answered before others have their turn


class Client(Wire):
    """One connection from a client. `certificate` is what its TLS side presents for the name it asked for, else
    None.
    """

    __slots__ = (
        "_before",
        "_begun",
        "_behind",
        "_covered_host",
        "_fields",
        "_fields_host",
        "_reading",
        "address",
        "certificate",
        "engine",
        "exchange",
        "leaving",
        "scheme",
        "secure",
    )

    def __init__(self, engine: Engine, scheme: bytes, address: bytes) -> None:
        super().__init__()
        self.engine = engine
        self.scheme = scheme
        self.secure = scheme == b"https"
        self.address = address
        self.exchange: Exchange | None = None
        self.certificate: Certificate | None = None
        self.leaving = False
        self._reading = False
        self._begun = False
        self._fields_host: bytes | None = None
        self._fields = b""
        self._before: bytes | None = None
        self._behind = b""
        self._covered_host: bytes | None = None

    # What an exchange asks

    def forwarded(self, route: Route, head: RequestHead) -> bytes:
        """The field lines that tell the app about this client; made once for a host."""
        if route.cdn and self.engine.snapshot.trusts(self.address):
            before, behind = around_host(self.address, self.scheme, head.forwarded_for)
            return before + host_value(head.host) + behind
        if head.host != self._fields_host:
            if self._before is None:
                self._before, self._behind = around_host(self.address, self.scheme, None)
            self._fields_host = head.host
            self._fields = self._before + host_value(head.host) + self._behind
        return self._fields

    def covers(self, host: bytes) -> bool:
        """Whether the certificate presented on this connection is good for `host` (D5)."""
        if self.certificate is None or host == self._covered_host:
            return True
        if self.certificate.covers(host_name(host).decode("latin-1")):
            self._covered_host = host
            return True
        return False

    def done(self, keep_alive: bool, unread: bool) -> None:
        """The exchange has ended; `unread` says that bytes of its request may still come."""
        self.exchange = None
        if self.closed:
            return
        self.settle()
        if self.is_closing():
            return
        if keep_alive and not self.engine.draining and (self.have or not self.leaving):
            if self.leaving:  # it asked for more before it shut its side
                self.engine.deadlines.watch(self, self.engine.poller.now + _GRACE)
            self.arm()
            if self.paused and self.have <= _AHEAD:
                self.resume()
            if self.have and not self._reading:
                self._next_request()
        else:
            self._end(unread or self.have > 0)

    def _end(self, lingering: bool) -> None:
        """Close, once what is queued has gone; `lingering` for a client that may still be sending."""
        if lingering:
            self.close_lingering()
        else:
            self.close()
        if not self.closed:
            self._await_end()

    def _await_end(self) -> None:
        engine = self.engine
        patience = _LINGER
        if self.backlog():
            self.takes()
            patience = engine.snapshot.read
        engine.deadlines.watch(self, engine.poller.now + patience)

    def arm(self) -> None:
        """Set the deadline that the state of things asks for (L4)."""
        engine = self.engine
        now = engine.poller.now
        exchange = self.exchange
        if self.leaving:
            return
        if self.backlog():
            self.takes()
            deadline = now + engine.snapshot.read
        elif exchange is None:
            if self._begun:
                return  # the time for a head runs from its first byte
            deadline = now + (_GRACE if engine.draining else engine.snapshot.idle)
        elif exchange.is_waiting():
            deadline = now + engine.snapshot.connect
        elif exchange.awaits_client():
            deadline = now + engine.snapshot.read
        else:
            self.deadline = NEVER
            return
        if self.slot >= 0 and deadline >= self.due:
            self.deadline = deadline
        else:
            engine.deadlines.watch(self, deadline)

    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.exchange is None and not self._begun

    def drain(self) -> None:
        """End soon if no request is under way: one that is on its way to us by now is still answered."""
        if self.exchange is not None or self.is_closing():
            return
        if self.backlog():
            self._end(True)  # it is still reading its last answer
        else:
            self.engine.deadlines.watch(self, self.engine.poller.now + _GRACE)

    # What happens

    def handshaken(self) -> None:
        self.certificate = self.secured.certificate  # type: ignore[union-attr]  # there is one, and the contexts gave it that
        self.engine.handshakes += 1
        if self.session_reused:
            self.engine.resumed += 1
        self.arm()

    def received(self) -> None:
        exchange = self.exchange
        if exchange is None:
            self._next_request()
        else:
            exchange.request_data()
            if self.have > _AHEAD and not self.closed:
                self.pause()

    def ended(self) -> None:
        exchange = self.exchange
        self.leaving = True
        if exchange is None:
            if not self.have or self._begun:
                self.close()
        elif exchange.client_ended():
            self.engine.deadlines.watch(self, self.engine.poller.now + _GRACE)

    def drained(self) -> None:
        if self.is_closing():
            self._await_end()
            return
        self.arm()
        if self.exchange is not None:
            self.exchange.client_drained()
        elif self.paused and not self.full:
            self._next_request()

    def lost(self) -> None:
        self.engine.gone(self)
        exchange = self.exchange
        if exchange is not None:
            self.exchange = None
            exchange.client_gone()

    def expired(self) -> None:
        exchange = self.exchange
        if self.backlog() and not self.leaving and self.takes():
            self.arm()  # slow, and still reading: a stream that moves is never cut
        elif exchange is None:
            if self._begun and not self.backlog():
                self._refuse(ProxyError("request_timeout"))
            else:
                self.abort()
        elif self.backlog():
            exchange.client_stopped()
        elif self.leaving:
            self.abort()
        elif exchange.is_waiting():
            exchange.fail(ProxyError("destination_unavailable"))
        elif exchange.awaits_client():
            exchange.fail(ProxyError("request_timeout"))

    def _next_request(self) -> None:
        """Read requests and start their exchanges, until one has to wait for something or no whole head is there."""
        self._reading = True
        count = 0
        while self.exchange is None and self.have and not self.is_closing():
            if self.full or count == _IN_A_ROW:
                # Nothing more is read before what has come is answered; and to whom does not read, nothing is answered.
                self.pause()
                if not self.full:
                    self.again()
                break
            count += 1
            try:
                head = self.scan_request(self.engine.snapshot.limits)
            except ProxyError as error:
                self._refuse(error)
                break
            if head is None:
                if self.leaving:
                    self._end(False)  # the rest will not come
                    break
                if not self._begun:
                    self._begun = True
                    self.engine.deadlines.watch(self, self.engine.poller.now + self.engine.snapshot.head)
                self.resume()
                break
            self._begun = False
            self.deadline = NEVER
            self.exchange = Exchange(self.engine, self, head)
            self.exchange.start()
        if not self.have:
            self.resume()
            if self.leaving and self.exchange is None and not self.is_closing():
                self._end(False)
        self._reading = False

    def _refuse(self, error: ProxyError) -> None:
        """Answer what is not a request, and end the connection."""
        self._begun = False
        self.exchange = Exchange(self.engine, self, None)
        self.exchange.refuse(error)


class ClientListener(Listener):
    """Makes a Client of each accepted connection."""

    __slots__ = ("engine", "scheme", "tls")

    def __init__(self, engine: Engine, scheme: bytes, tls: Terminator | None) -> None:
        super().__init__()
        self.engine = engine
        self.scheme = scheme
        self.tls = tls

    def accepted(self, fd: int, address: bytes, _port: int) -> None:
        engine = self.engine
        client = Client(engine, self.scheme, address[7:] if address.startswith(b"::ffff:") else address)
        client.attach(engine.poller, fd)
        engine.opened(client)
        if self.tls is not None:
            client.start_tls(self.tls)
        if engine.open_connections > engine.snapshot.max_connections:
            if self.tls is None:
                reply = error_reply(CAUSES["connection_limit_reached"], b"", b"", "")
                client.send(render(reply, minor=1, keep_alive=False, head_only=False, date=engine.date_line[6:-2]))
            client.close_lingering()
            engine.deadlines.watch(client, engine.poller.now + 1.0)
            return
        # A connection that never says anything, and a handshake that does not get on, have the time that a head has.
        engine.deadlines.watch(client, engine.poller.now + engine.snapshot.head)

    def refused(self, _error: int) -> None:
        self.engine.shed(self)
