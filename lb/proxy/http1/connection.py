"""A client's HTTP/1 connection: one request after the other becomes an exchange.

It knows when a request begins, and that the next one waits until the exchange is done; what a request means is the
exchange's business. Requests that cannot be read end the connection, since nobody can say where the next one would
begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.forwarding import around_host, client_certificate_line, host_value
from lb.http.head import RequestHead
from lb.http.refused import Refused, head_too_large
from lb.proxy.eviction import PATIENCE
from lb.proxy.exchange.client_probe import AGAIN, FIRST
from lb.proxy.exchange.exchange import Exchange
from lb.proxy.handler import Conversation
from lb.proxy.io.deadlines import NEVER
from lb.proxy.io.listener import Listener
from lb.proxy.io.memory_tls import Certificate, ServerTls, Terminator
from lb.proxy.io.wire import Wire
from lb.routing.clients import client_behind
from lb.routing.rate_limit import Pace
from lb.routing.route import Route
from lb.routing.table import host_name

if TYPE_CHECKING:
    from lb.proxy.engine import Engine

_AHEAD = 32768  # bytes that a client may send ahead of its turn
_LINGER = 5.0  # seconds since its last byte for which a client is listened to after our last word
_LINGER_IN_ALL = 30.0
_GRACE = 1.0  # seconds for a client that is to go to bring the request that is on its way
_NAMES = Pace(interval=2.0, burst=10)  # how often one client may bring up a name that has no certificate
_NAMING = 0x5DEECE66D  # makes another key of a client's: names are counted apart from requests
_IN_A_ROW = 32  # requests that one connection gets answered before others have their turn


class Client(Wire):
    """One connection from a client. `certificate` is what its TLS side presents for the name it asked for, else
    None; `client_auth` the domain that the client's own certificate was asked for, if any, and `client_certificate` the
    field line that tells an app about that one, empty if there is none.
    """

    __slots__ = (
        "_before",
        "_begun",
        "_behind",
        "_counted",
        "_covered_host",
        "_established",
        "_fields",
        "_fields_host",
        "_key",
        "_listened_until",
        "_reading",
        "_silent",
        "address",
        "certificate",
        "client_auth",
        "client_certificate",
        "engine",
        "exchange",
        "leaving",
        "scheme",
        "secure",
        "turned_away",
    )

    def __init__(self, engine: Engine, scheme: bytes, address: bytes) -> None:
        super().__init__()
        self.engine = engine
        self.scheme = scheme
        self.secure = scheme == b"https"
        self.address = address
        self.exchange: Conversation | None = None
        self.certificate: Certificate | None = None
        self.client_auth: bytes | None = None
        self.client_certificate = b""
        self.leaving = False
        self.turned_away = False  # is being told that there is no room for it, and is not counted
        self._reading = False
        self._begun = False
        self._silent = True  # has not made a whole request yet
        self._established = True  # no handshake is under way
        self._counted = False  # among the connections of its address
        self._listened_until = 0.0  # the latest, after our last word
        self._key = 0  # the key of its address, once it is asked for
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

    def early(self, route: Route | None, head: RequestHead) -> float:
        """Seconds by which this request comes too early, all connections of its client counted (L5); 0.0 if it may."""
        engine = self.engine
        snapshot = engine.snapshot
        pace = snapshot.client_pace
        if pace is None:
            return 0.0
        key = self.key()
        if route is not None and route.cdn and snapshot.trusts(self.address):
            # Without a name the CDN speaks for itself, and the CDN is nobody's one client.
            key = engine.clients.key(client_behind(head.forwarded_for or b"", snapshot.trusted))
        return engine.paces.take(key, engine.poller.now, pace) if key else 0.0

    def key(self) -> int:
        """What the client's address is counted under."""
        if self._key == 0:
            self._key = self.engine.clients.key(self.address)
        return self._key

    def may_connect(self) -> bool:
        """Count this connection as its client's; False when the client has as many as it may (L5)."""
        engine = self.engine
        limit = engine.snapshot.client_connections
        if limit and not engine.snapshot.trusts(self.address):
            self._counted = engine.presence.arrive(self.key(), limit)
            return self._counted
        return True

    def covers(self, host: bytes) -> bool:
        """Whether the certificate presented on this connection is good for `host` (D5)."""
        if self.certificate is None or host == self._covered_host:
            return True
        if self.certificate.covers(host_name(host).decode("latin-1")):
            self._covered_host = host
            return True
        return False

    def done(self, keep_alive: bool, unread: bool) -> None:
        """The exchange has ended; `keep_alive` says that the client was told it may ask again, and then it may, though
        a drain has begun since; `unread` that bytes of its request may still come.
        """
        self.exchange = None
        self.greedy = False
        if self.closed:
            return
        self.settle()
        if self.is_closing():
            return
        if keep_alive and (self.have or not self.leaving):
            self.arm()
            if self.paused:
                self.read_on()
            if self.have and not self._reading:
                self._next_request()
        else:
            self._end(unread or self.have > 0)

    def read_on(self) -> None:
        """Take more from the client, unless so much of its next requests is here already."""
        if self.have <= _AHEAD:
            self.resume()

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
        now = engine.poller.now
        patience = _LINGER
        if self.backlog():
            self.takes()
            patience = engine.snapshot.read
        else:
            self._listened_until = now + _LINGER_IN_ALL
        engine.deadlines.watch(self, now + patience)

    def arm(self) -> None:
        """Set the deadline that the state of things asks for (L4)."""
        engine = self.engine
        now = engine.poller.now
        exchange = self.exchange
        if self.backlog():
            self.takes()
            deadline = now + engine.snapshot.read
        elif exchange is None:
            if self._begun:
                return  # the time for a head runs from its first byte
            deadline = now + (_GRACE if engine.hurried else engine.snapshot.idle)
        elif exchange.is_waiting():
            deadline = now + engine.snapshot.connect
        elif exchange.awaits_client():
            deadline = now + engine.snapshot.read
        elif self.leaving:
            deadline = now + AGAIN
        else:
            self.deadline = NEVER
            return
        if self.slot >= 0 and deadline >= self.due:
            self.deadline = deadline
        else:
            engine.deadlines.watch(self, deadline)

    def may_be_spared(self, now: float) -> bool:
        """Whether it is counted and no request is under way: of the next one not even a head that is arriving, or it
        has had our last word.
        """
        if self.exchange is not None or self.turned_away:
            return False
        if self.is_closing():
            return self.backlog() == 0
        return not self._silent and (not self._begun or now - self.idle_since() >= PATIENCE)

    def idle_since(self) -> float:
        """When it began to be what it is: idle, in the middle of a head, or at its end."""
        snapshot = self.engine.snapshot
        if self.is_closing():
            return self.deadline - _LINGER
        return self.deadline - (snapshot.head if self._begun else snapshot.idle)

    def can_go(self) -> bool:
        """Whether no request is lost by closing it: none is under way, and none has just come."""
        if self.is_closing():
            return self.exchange is None and self.backlog() == 0
        return self.exchange is None and (self._begun or not self._established or not self.is_stale())

    def drain(self) -> None:
        """End soon if no request is under way: one that is on its way to us by now is still answered."""
        if self.exchange is not None or self.is_closing():
            return
        if self.backlog():
            self._end(True)  # it is still reading its last answer
        else:
            self.engine.deadlines.watch(self, self.engine.poller.now + _GRACE)

    # What happens

    def suspended(self) -> None:
        engine = self.engine
        snapshot, held, now = engine.snapshot, engine.held, engine.poller.now
        key = 0 if snapshot.trusts(self.address) else self.key()
        if held is None:
            self.refuse_handshake()
        elif key and held.is_new(now) and engine.paces.take(key ^ _NAMING, now, _NAMES):
            held.refused += 1
            self.refuse_handshake()
        elif held.hold(self, key, min(snapshot.max_held, engine.max_connections // 2), now):
            engine.room.spoke(self)  # it waits for us, and makes no room for others
            engine.deadlines.watch(self, now + snapshot.hold)
        else:
            self.refuse_handshake()

    def go_on(self) -> None:
        engine = self.engine
        engine.room.came(self, engine.poller.now)
        engine.deadlines.watch(self, engine.poller.now + engine.snapshot.handshake)
        Wire.go_on(self)

    def turn_down(self) -> None:
        """There is no certificate for the name that this connection's handshake waits for."""
        self.refuse_handshake()

    def handshaken(self) -> None:
        self._established = True
        secured: ServerTls = self.secured  # type: ignore[assignment]  # there is one, and the contexts made it
        self.certificate = secured.certificate
        self.client_auth = secured.client_auth
        if self.client_auth is not None:
            self.client_certificate = client_certificate_line(secured.getpeercert(True))
        self.engine.handshakes += 1
        if self.session_reused:
            self.engine.resumed += 1
        self.arm()

    def unsecured(self) -> None:
        # Whoever typed http:// is told so (`_begin`); `_established` stays False, and nothing is served.
        self.scheme = b"http"
        self.secure = False

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
        elif exchange.client_ended() and not self.backlog():
            if exchange.is_waiting():
                exchange.probe_client()
            else:
                self.engine.deadlines.watch(self, self.engine.poller.now + FIRST)

    def severed(self) -> None:
        exchange = self.exchange
        if exchange is None:
            self.abort()
        else:
            exchange.client_severed()

    def drained(self) -> None:
        if self.is_closing():
            self._await_end()
            return
        self.arm()
        exchange = self.exchange
        if exchange is not None:
            exchange.client_drained()
        elif self.paused and not self.full:
            self._next_request()

    def lost(self) -> None:
        if self.turned_away:
            self.engine.room.forget(self)
            self.engine.deadlines.forget(self)
        else:
            self.engine.gone(self)
        if self.on_hold and self.engine.held is not None:
            self.engine.held.leave(self)
        if self._counted:
            self.engine.presence.leave(self._key)
        exchange = self.exchange
        if exchange is not None:
            self.exchange = None
            exchange.client_gone()

    def expired(self) -> None:
        exchange = self.exchange
        if self.on_hold:
            if self.engine.held is not None:
                self.engine.held.timed_out += 1
            self.refuse_handshake()
            return
        if self.backlog() and self.takes():
            self.arm()  # slow, and still reading: a stream that moves is never cut
        elif exchange is None:
            if self._begun and not self.backlog():
                self._refuse(ProxyError("request_timeout"))
            elif self.heard + _LINGER > self.engine.poller.now and self._listened_until > self.engine.poller.now:
                self.engine.deadlines.watch(self, min(self.heard + _LINGER, self._listened_until))
            else:
                self.abort()
        elif self.backlog():
            exchange.client_stopped()
        elif self.leaving and not exchange.is_waiting():
            exchange.probe_client()
            self.arm()
        else:
            exchange.client_late()

    def _next_request(self) -> None:
        """Read requests and start their exchanges, until one has to wait for something or no whole head is there."""
        self._reading = True
        count = 0
        while self.have and self.exchange is None and not self.is_closing():
            if self.full or (count > 0 and count >= _IN_A_ROW // max(self.engine.poller.crowd, 1)):
                # Nothing more is read before what has come is answered; and to whom does not read, nothing is answered.
                # In a crowd turns are shorter.
                self.engine.relieve_log()
                self.pause()
                if not self.full:
                    self.again()
                break
            count += 1
            try:
                head = self.scan_request(self.engine.snapshot.limits)
            except ProxyError as error:
                self._refuse(error if self._established else ProxyError("plain_http_on_https_port"))
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
            self._begin(head)
        if not self.have:
            self.resume()
            if self.leaving and self.exchange is None and not self.is_closing():
                self._end(False)
        self._reading = False

    def _begin(self, head: RequestHead) -> None:
        self._begun = False
        if self._silent:
            self._silent = False
            self.engine.room.spoke(self)
            if not self._established:
                self._refuse_cleartext(head)
                return
        self.deadline = NEVER
        self.exchange = exchange = Exchange(self.engine, self, head)
        exchange.start()

    def _refuse_cleartext(self, head: RequestHead) -> None:
        """Answer a request that came in plain HTTP where TLS is spoken: with its URL, as far as that can be told."""
        url = f"use https://{head.host.decode('latin-1')}/" if head.host else ""
        self.exchange = exchange = Exchange(self.engine, self, head)
        exchange.fail(ProxyError("plain_http_on_https_port", url))

    def shake_hands(self, contexts: Terminator) -> None:
        """Speak TLS, beginning with a handshake, which has a time of its own."""
        self._established = False
        self.start_tls(contexts)
        self.engine.deadlines.watch(self, self.engine.poller.now + self.engine.snapshot.handshake)

    def turn_away(self, cause: str, key: str) -> None:
        """There is no room for this connection: say so where that costs no handshake, and close it. From here on it is
        not one of those that are open. `key` is the limit's in the configuration.
        """
        engine = self.engine
        engine.turned_away(self)
        self.turned_away = True
        if self.secure:
            engine.failed(cause)
            self.abort()
            return
        self._refuse(ProxyError(cause, key))
        if not self.closed:
            engine.room.turned_away(self)
            self._listened_until = 0.0
            engine.deadlines.watch(self, engine.poller.now + _GRACE)

    def _refuse(self, error: ProxyError) -> None:
        """Answer what is not a request, and end the connection."""
        self._begun = False
        self.exchange = exchange = Exchange(self.engine, self, None)
        if self.have:
            limits = self.engine.snapshot.limits
            came = bytes(self.view(min(self.have, limits.line + limits.total)))
            exchange.refused = refused = Refused(came)
            if refused.host:
                exchange.route = self.engine.snapshot.table.find(refused.host)  # type: ignore[assignment]  # for the log
            code = error.cause.code
            error = ProxyError(code, head_too_large(code, came, limits) or error.detail, error.retry_after)
        exchange.fail(error)


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
        try:
            client.attach(engine.poller, fd)
            self._admit(client)
        except Exception as error:  # noqa: BLE001 - neither this one nor the next may be left half made
            engine.broken(client, error)

    def _admit(self, client: Client) -> None:
        """Count it, and begin with it: with what the configuration allows it, or with telling it that there is no
        room.
        """
        engine = self.engine
        crowded = engine.open_connections >= engine.max_connections
        engine.opened(client)
        if not client.may_connect():
            client.turn_away("client_connection_limit_reached", "limits.client_connections")
        elif crowded and not engine.make_room():
            client.turn_away("connection_limit_reached", engine.limit_in_words())
        elif self.tls is None:
            # A connection that never says anything has the time that a head has.
            engine.deadlines.watch(client, engine.poller.now + engine.snapshot.head)
        else:
            client.shake_hands(self.tls)

    def refused(self, error: int) -> None:
        self.engine.shed(self, error)
