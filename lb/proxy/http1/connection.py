"""A client's HTTP/1 connection: one request after the other becomes an exchange.

It knows when a request begins, and that the next one waits until the exchange is done; what a request means is the
exchange's business. A request that cannot be read ends the connection, since it is unknown where the next would begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.head import RequestHead
from lb.http.refused import Refused, head_too_large
from lb.proxy.client_info import ClientInfo
from lb.proxy.eviction import FIRST_REQUEST_TIMEOUT
from lb.proxy.exchange.exchange import Exchange
from lb.proxy.http1.client_probe import AGAIN, FIRST
from lb.proxy.http1.handshake import Handshaking
from lb.proxy.http1.preface import read_preface
from lb.proxy.http2.beginning import begins_http2, speak_http2
from lb.proxy.io.deadlines import NEVER

if TYPE_CHECKING:
    from lb.proxy.engine import Engine

_AHEAD = 32768  # bytes that a client may send ahead of its turn
_LINGER = 5.0  # seconds since its last byte for which a client is still read after our last word
_LINGER_IN_ALL = 30.0
_GRACE = 1.0  # seconds for a client that is to go to deliver the request that is on its way
_IN_A_ROW = 32  # requests answered on one connection before others have their turn


class Client(Handshaking):
    """One connection from a client. `info` describes the client; `handler` is told what it does meanwhile; `leaving`
    means that the client has shut its side.
    """

    __slots__ = (
        "_begun",
        "_listened_until",
        "_no_request_yet",
        "_reading",
        "turned_away",
    )

    def __init__(self, engine: Engine, scheme: bytes, address: bytes) -> None:
        super().__init__()
        self.engine = engine
        self.info = ClientInfo(engine, scheme, address)
        self.turned_away = False  # it is being told that there is no room, and is not counted
        self._reading = False
        self._begun = False
        self._no_request_yet = True  # not a whole one
        self._established = True  # no handshake is under way
        self._listened_until = 0.0  # the latest time until which it is read after our last word

    # Called by an exchange

    def done(self, keep_alive: bool, unread: bool) -> None:
        """The exchange has ended. `keep_alive` says that the client was told it may send another request; it then may,
        even if a drain has begun since. `unread` says that bytes of its request may still arrive.
        """
        self.handler = None
        self.large_reads = False
        self._probe = None
        if self.closed:
            return
        self.free_if_empty()
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
        """Read more from the client, unless enough of its next requests is buffered already."""
        if self.have <= _AHEAD:
            self.resume()

    def _end(self, lingering: bool) -> None:
        """Close, once the backlog has gone; `lingering` for a client that may still be sending."""
        if lingering:
            self.close_lingering()
        else:
            self.close()
        if not self.closed:
            self._await_end()

    def _await_end(self) -> None:
        engine = self.engine
        now = engine.poller.now
        timeout = _LINGER
        if self.backlog():
            self.takes()
            timeout = engine.snapshot.read
        else:
            self._listened_until = now + _LINGER_IN_ALL
        engine.deadlines.watch(self, now + timeout)

    def arm(self) -> None:
        """Set the deadline for the present state (L4)."""
        engine = self.engine
        now = engine.poller.now
        handler = self.handler
        if self.backlog():
            self.takes()
            deadline = now + engine.snapshot.read
        elif handler is None:
            if self._begun:
                return  # the time for a head runs from its first byte
            deadline = now + (_GRACE if engine.fast_drain else engine.snapshot.idle)
        elif handler.is_waiting() or handler.awaits_client():
            deadline = now + handler.client_timeout()
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
        """Whether it is counted and has no request under way: at most the head of the next one is arriving, or our last
        word was sent.
        """
        handler = self.handler
        if self.turned_away:
            return False
        if handler is not None:
            return handler.may_be_spared()
        if self.is_closing():
            return self.backlog() == 0
        return not self._no_request_yet and (not self._begun or now - self.idle_since() >= FIRST_REQUEST_TIMEOUT)

    def idle_since(self) -> float:
        """When its present state began: idle, in the middle of a head, or ending."""
        snapshot = self.engine.snapshot
        if self.is_closing():
            return self.deadline - _LINGER
        return self.deadline - (snapshot.head if self._begun else snapshot.idle)

    def can_go(self) -> bool:
        """Whether no request is lost by closing it: none is under way, and none has just arrived."""
        handler = self.handler
        if self.is_closing():
            return handler is None and self.backlog() == 0
        if handler is not None:
            return handler.can_go()
        return self._begun or not self._established or not self.is_stale()

    def drain(self) -> None:
        """End soon if no request is under way; one that is already on its way is still answered."""
        handler = self.handler
        if self.is_closing():
            return
        if handler is not None:
            handler.go_away()
        elif self.backlog():
            self._end(True)  # it is still reading its last answer
        else:
            self.engine.deadlines.watch(self, self.engine.poller.now + _GRACE)

    def cut(self) -> None:
        """End because the service ends: the exchange is told, and what was sent so far still arrives."""
        handler = self.handler
        if handler is not None:
            handler.cut()
        elif self._begun and not self.is_closing() and not self.backlog():
            self._refuse_unfinished("proxy_stopped")
        else:
            self.close()

    # Events

    def preface(self, data: bytes) -> int:
        return read_preface(self.engine, self.info, self, data)

    def introduced(self) -> None:
        if not self.info.may_connect():
            self.turn_away("client_connection_limit_reached", "limits.client_connections")
        elif not self.info.secure:
            self.engine.deadlines.watch(self, self.engine.poller.now + self.engine.snapshot.head)

    def handshaken(self) -> None:
        self._established = True
        side = self.secured
        self.info.secured(side)  # type: ignore[arg-type]  # there is one, and the contexts made it
        self.engine.shook_hands(self.session_reused)
        if side.selected_alpn_protocol() == "h2":  # type: ignore[union-attr]  # as above
            self._begun = self._no_request_yet = False
            speak_http2(self, self.engine, self.info)
        else:
            self.arm()

    def received(self) -> None:
        handler = self.handler
        if handler is None:
            self._next_request()
        else:
            handler.request_data()
            if self.have > _AHEAD and not self.closed:
                self.pause()

    def ended(self) -> None:
        handler = self.handler
        self.leaving = True
        if handler is None:
            if not self.have or self._begun:
                self.close()
        elif handler.client_ended() and not self.backlog():
            if handler.is_waiting():
                handler.probe_client()
            else:
                self.engine.deadlines.watch(self, self.engine.poller.now + FIRST)

    def severed(self) -> None:
        handler = self.handler
        if handler is None:
            self.abort()
        else:
            handler.client_severed()

    def drained(self) -> None:
        if self.is_closing():
            self._await_end()
            return
        self.arm()
        handler = self.handler
        if handler is not None:
            handler.client_drained()
        elif self.paused and not self.full:
            self._next_request()

    def lost(self) -> None:
        if self.turned_away:
            self.engine.evictor.forget(self)
            self.engine.deadlines.forget(self)
        else:
            self.engine.gone(self)
        if self.on_hold and self.engine.held is not None:
            self.engine.held.leave(self)
        self.info.disconnected()
        handler = self.handler
        if handler is not None:
            self.handler = None
            handler.client_gone()

    def expired(self) -> None:
        handler = self.handler
        if self.on_hold:
            if self.engine.held is not None:
                self.engine.held.time_out()
            self.refuse_handshake()
            return
        if self.backlog() and self.takes():
            self.arm()  # slow, and still reading: a stream that moves is never cut
        elif handler is None:
            if self._begun and not self.is_closing() and not self.backlog():
                self._refuse_unfinished("proxy_stopped" if self.engine.fast_drain else "request_timeout")
            elif self.heard + _LINGER > self.engine.poller.now and self._listened_until > self.engine.poller.now:
                self.engine.deadlines.watch(self, min(self.heard + _LINGER, self._listened_until))
            else:
                self.abort()
        elif self.backlog():
            handler.client_stopped()
        elif self.leaving and not handler.is_waiting():
            handler.probe_client()
            self.arm()
        else:
            handler.client_late()

    def _next_request(self) -> None:
        """Read requests and start their exchanges, until one has to wait or no whole head is there."""
        self._reading = True
        count = 0
        while self.have and self.handler is None and not self.is_closing():
            if self.full or (count > 0 and count >= _IN_A_ROW // max(self.engine.poller.ready_count, 1)):
                # Nothing more is read until what has arrived is answered, and a client that does not read gets no
                # answers. With many ready connections turns are shorter.
                self.engine.relieve_log()
                self.pause()
                if not self.full:
                    self.again()
                break
            count += 1
            try:
                head = self.scan_request(self.engine.snapshot.limits)
            except ProxyError as error:
                self._not_a_request(error)
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
            if self.leaving and self.handler is None and not self.is_closing():
                self._end(False)
        self._reading = False

    def _not_a_request(self, error: ProxyError) -> None:
        """What has arrived cannot be read, for this reason, unless it is the preface of HTTP/2."""
        fits = self._no_request_yet and self._established and not self.info.secure and self.engine.snapshot.h2c
        if fits and begins_http2(self, self.engine, self.info):
            if self.handler is not None or self.is_closing():
                self._begun = self._no_request_yet = False  # the whole preface was there
        else:
            self._refuse(error if self._established else ProxyError("plain_http_on_https_port"))

    def _begin(self, head: RequestHead) -> None:
        self._begun = False
        if self._no_request_yet:
            self._no_request_yet = False
            self.engine.evictor.spoke(self)
            if not self._established:
                self._refuse_cleartext(head)
                return
        self.deadline = NEVER
        self.can_stream = head.minor == 1
        self.handler = exchange = Exchange()
        exchange.begin(self.engine, self, self.info, head)
        exchange.start()

    def _refuse_cleartext(self, head: RequestHead) -> None:
        """Answer a plain HTTP request on a TLS port with its https URL, as far as that is known."""
        self.can_stream = head.minor == 1
        url = f"use https://{head.host.decode('latin-1')}/" if head.host else ""
        self.handler = exchange = Exchange()
        exchange.begin(self.engine, self, self.info, head)
        exchange.fail(ProxyError("plain_http_on_https_port", url))

    def turn_away(self, cause: str, key: str) -> None:
        """There is no room for this connection: say so where that costs no handshake, and close it. From here on it
        does not count as open. `key` is that of the limit in the configuration.
        """
        engine = self.engine
        engine.turned_away(self)
        self.turned_away = True
        if self.info.secure:
            engine.failed(cause)
            self.abort()
            return
        self._refuse(ProxyError(cause, key))
        if not self.closed:
            engine.evictor.turned_away(self)
            self._listened_until = 0.0
            engine.deadlines.watch(self, engine.poller.now + _GRACE)

    def _refuse_unfinished(self, cause: str) -> None:
        """Stop waiting for the rest of a head, for this cause; on an HTTPS port the rest would not help."""
        self._refuse(ProxyError(cause if self._established else "plain_http_on_https_port"))

    def _refuse(self, error: ProxyError) -> None:
        """Answer something that is not a request, and end the connection."""
        self._begun = False
        self.can_stream = True
        refused = None
        if self.have:
            limits = self.engine.snapshot.limits
            came = bytes(self.view(min(self.have, limits.line + limits.total)))
            refused = Refused(came)
            code = error.cause.code
            error = ProxyError(code, head_too_large(code, came, limits) or error.detail, error.retry_after)
        self.handler = exchange = Exchange()
        exchange.begin(self.engine, self, self.info, None)
        exchange.refuse(error, refused)
