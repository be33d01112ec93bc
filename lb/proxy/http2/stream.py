"""One request and its response on an HTTP/2 connection: the client's side, as its exchange sees it.

What has arrived of the request's body waits here until the exchange takes it; only then the client gets credit for as
much, so that a slow instance slows its own client down and nobody else on the connection. What the exchange sends goes
out at once, as far as the client's windows allow, or waits its turn (`flow`). This file knows one stream; what frames
say about it, and which streams there may be, is the session's business.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.body import LENGTH, Body
from lb.http.h2_errors import CANCEL, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR
from lb.http.head import without_fields
from lb.proxy.downstream import Downstream
from lb.proxy.http2.flow import Flow
from lb.proxy.http2.sender import FRAME, Sender
from lb.proxy.http2.upload_memory import LARGEST, UPLOADS
from lb.proxy.io.deadlines import NEVER
from lb.proxy.io.read_buffer import ReadBuffer

if TYPE_CHECKING:
    from lb.proxy.handler import Handler
    from lb.proxy.io.wire import Wire

WINDOW = 65535
"""Bytes of a request's body that a client may send before any of them is taken (RFC 9113 section 6.9.2)."""

_WINDOW = WINDOW
_LARGEST = LARGEST
_HIGH = 65536  # bytes that wait, from which on the exchange is to send no more
_LOW = 16384
_KEPT = 1 << 20  # bytes that wait in all streams of a connection, from which on each of them is to send no more
_AHEAD = 262144  # bytes of frames that are written before the socket is asked
_ACCEPT = frozenset((b"sec-websocket-accept",))
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Stream(Flow):
    """A stream. `credit` is how many bytes of data the client may send; `expected` is the length of the body that it
    has told, -1 if it has not; `heard_all` says that it has sent END_STREAM. `connecting` is a stream that asks for
    another protocol (RFC 8441), `tunnelling` one that speaks it; `websocket_key` belongs to the instance's answer.
    """

    __slots__ = (
        "_came",
        "_date",
        "_due",
        "_given",
        "_limit",
        "_news",
        "_opening",
        "_request_trailers",
        "connecting",
        "credit",
        "expected",
        "heard_all",
        "sender",
        "tunnelling",
        "websocket_key",
    )

    def __init__(self, sender: Sender, number: int, window: int, heard_all: bool) -> None:
        Flow.__init__(self, number, window)
        self.is_http2 = True
        self.sender = sender
        self.credit = self._limit = _WINDOW
        self.expected = -1
        self.heard_all = heard_all
        self.connecting = self.tunnelling = self._news = False
        self.websocket_key: bytes | None = None
        self._came = self._given = self._due = 0  # of the request's body: arrived, given credit for, and still due
        self._opening: bytes | None = None  # a head that is yet to be sent
        self._date: bytes | None = None
        self._request_trailers: bytes | None = None

    # What the session reports

    def take(self, wire: Wire, last: bool) -> None:
        """What is ready at `wire` has arrived of the body; `last` says that nothing follows."""
        self._came += wire.ready
        if last:
            self.heard_all = True
        if self.expected >= 0 and (self._came > self.expected or (last and self._came != self.expected)):
            self.sender.budgets.reset_by_us(self.sender.engine.poller.now)
            self.break_off(PROTOCOL_ERROR)  # RFC 9113 section 8.1.1
            return
        self.borrow(wire)
        if last and self.connecting:
            self.leaving = True
        self._news = True
        if not self.paused:
            self._tell()
        else:
            self.settle()

    def take_trailers(self, lines: bytes) -> None:
        """The body has ended with these field lines."""
        self._request_trailers = lines
        self.take(self.sender.wire, True)

    def _tell(self) -> None:
        """Tell the exchange what has arrived, and give credit for what it took."""
        self._news = False
        handler = self.handler
        if handler is None:
            self.drop(self.have)  # the response was complete before the request
        else:
            handler.request_data()
            if self.leaving and self.tunnelling and self.handler is not None:
                self.handler.client_ended()
        if not self.closed:
            self.settle()
            self._give_credit()

    def _give_credit(self) -> None:
        n = self._came - self.have - self._given
        if n == 0 or self.paused:
            return
        self._given += n
        self.sender.consumed(n)
        if self.heard_all:
            return
        self._due += n
        if self._due * 2 >= self._limit:
            n = self._due + self._growth()
            self._due = 0
            self.credit += n
            self.sender.writer.window_update(self.number, n)
            self.sender.touch()

    def _growth(self) -> int:
        """How much larger the window becomes: an instance that takes all of it at once could take more."""
        by = 0
        if self._limit < _LARGEST and not self.have and self._came >= 2 * self._limit:
            by = UPLOADS.take(self._limit)
            if by:
                self._limit += by
                self.sender.grow(by)
        return by

    def read_body(self, body: Body) -> int:
        """As for bytes that are framed by themselves: here frames say where the body ends."""
        n = self.read_raw()
        body.total += n
        if body.total > body.cap:
            raise ProxyError("request_body_too_large")
        if body.kind == LENGTH:
            body.left -= n
            body.done = body.left == 0
        elif self.heard_all:
            body.trailers = self._request_trailers
            body.done = True
        return n

    def cancelled(self) -> None:
        """The client has reset it."""
        self._leave()

    def lost(self, failure: int) -> None:
        """The connection is closed."""
        self.failure = failure
        self._leave()

    # How much is read

    def read_much(self, much: bool) -> None:
        self.large_reads = much
        if much:
            self.sender.wire.read_much(True)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        if self._news:
            self.sender.remind(self)
        self._give_credit()  # what was taken may have come long before, while there was no connection to an instance

    def read_on(self) -> None:
        self.resume()

    def arm(self) -> None:
        engine = self.sender.engine
        handler = self.handler
        if self.waiting():
            deadline = engine.poller.now + engine.snapshot.read
        elif handler is not None and (handler.is_waiting() or handler.awaits_client()):
            deadline = engine.poller.now + handler.client_timeout()
        else:
            self.deadline = NEVER
            return
        engine.deadlines.watch(self, deadline)

    def expired(self) -> None:
        handler = self.handler
        if self.waiting():
            if self.queued and self.sender.window > 0:
                self.arm()  # the connection is slow, or others go first: it is not this stream that does not move
            elif handler is None:
                self.break_off(CANCEL)
            else:
                handler.client_stopped()
        elif handler is not None:
            handler.client_late()

    # The response

    def head(self, lines: bytes, date: bytes, _persistent: bool, _streamed: bool) -> None:
        if self.connecting and lines[9:10] == b"2":  # to its client, that would mean that the protocol was switched to
            lines = b"HTTP/1.1 502 Bad Gateway" + lines[lines.index(b"\r\n") :]
        self._opening = lines
        self._date = date

    def body(self, source: ReadBuffer, trailers: bytes | None) -> None:
        if self.closed or self.ended or self.trailers is not None:
            return
        sender = self.sender
        if self._opening is not None:
            self._open(source.ready == 0 and trailers is not None and not trailers)
            if self.ended:
                return
        if not self.waiting() and not sender.scheduler.count and not sender.wire.full:
            self._send_now(source, trailers)
        if source.ready:
            self._keep(source)
        elif trailers is not None and not self.ended and not self.waiting():
            sender.writer.trailers(self.number, trailers)
            self.ended = True
        self.trailers = trailers
        sender.touch()

    def piece(self, data: bytes, trailers: bytes | None) -> None:
        source = ReadBuffer()
        source.fill(data)
        source.read_raw()
        self.body(source, trailers)

    def _open(self, ended: bool) -> None:
        """Write the head."""
        writer = self.sender.writer
        writer.response(self.number, self._opening, self._date, ended)  # type: ignore[arg-type]  # asked before
        self._opening = self._date = None
        self.ended = ended
        self.sender.touch()

    def _send_now(self, source: ReadBuffer, trailers: bytes | None) -> int:
        """Write what is ready there, as far as the windows allow; returns how much."""
        sender = self.sender
        writer = sender.writer
        sent = 0
        while source.ready and writer.pending < _AHEAD:
            n = min(source.ready, FRAME, self.window, sender.window)
            if n <= 0:
                break
            ended = n == source.ready and trailers is not None and not trailers
            source.write_frame(writer, self.number, n, ended)
            sender.budgets.sent_data()
            self.window -= n
            sender.window -= n
            sent += n
            self.ended = ended
        return sent

    def _keep(self, source: ReadBuffer) -> None:
        """What is ready there has to wait."""
        if self.pending is None:
            self.pending = ReadBuffer()
        self.sender.kept += source.ready
        self.pending.gather(source)
        if self.window > 0 and not self.queued:
            self.sender.scheduler.add(self)
        if self.pending.have > _HIGH or self.sender.kept > _KEPT:
            self.full = True

    def transfer(self, file: int, at: int, size: int) -> int:
        return 0 if self.full or self.closed else Downstream.transfer(self, file, at, size)

    def give_way(self) -> None:
        if not self.full:
            self.sender.remind(self)

    def interim(self, lines: bytes) -> None:
        # A client that does not read gets none of those that it can do without: they are not kept.
        if not self.closed and (not self.sender.wire.full or lines[9:12] == b"100"):
            self.sender.writer.response(self.number, lines, b"", False)
            self.sender.touch()

    def switch(self, lines: bytes, _protocol: bytes) -> None:
        """The instance speaks the protocol that this client asked for: over HTTP/2 that is a 200 (RFC 8441)."""
        self.tunnelling = True
        if self.websocket_key is not None:
            accept = b64encode(sha1(self.websocket_key + _GUID, usedforsecurity=False).digest())
            if b"\r\nsec-websocket-accept: %b\r\n" % accept.lower() not in lines.lower():
                handler: Handler = self.handler  # type: ignore[assignment]  # it calls this
                handler.fail(ProxyError("http_upgrade_failed", "Sec-WebSocket-Accept is wrong"))
                return
        fields = without_fields(lines, _ACCEPT)
        self.sender.writer.response(self.number, b"HTTP/1.1 200 OK" + fields[fields.index(b"\r\n") :], b"", False)
        self.sender.touch()

    def took(self) -> None:
        if self.closed:
            return
        if self.full and self.waiting() <= _LOW:
            self.full = False
        handler = self.handler
        if handler is None:
            self._conclude()
            return
        if self._news and not self.paused:
            self._tell()
            if self.closed or self.handler is not handler:
                return
        self.arm()
        handler.client_drained()

    # The end

    def end(self) -> None:
        self.piece(b"", b"")

    def abort(self) -> None:
        self.break_off(INTERNAL_ERROR)

    def reset(self) -> None:
        self.break_off(INTERNAL_ERROR)

    def done(self, _keep_alive: bool, _unread: bool) -> None:
        self.handler = None
        if not self.closed:
            if self.tunnelling:
                self.piece(b"", b"")
            self._conclude()

    def _conclude(self) -> None:
        """The exchange is done: the stream is over when all that it sent has gone."""
        if self.waiting():
            self.arm()
        elif not self.ended:
            self.break_off(INTERNAL_ERROR)  # the response has no end
        elif not self.heard_all:
            self.break_off(NO_ERROR)  # the rest of the request is not needed (RFC 9113 section 8.1)
        else:
            self._leave()

    def break_off(self, code: int) -> None:
        """End it for this reason."""
        if not self.closed:
            self.sender.reset_stream(self.number, code)
            self._leave()

    def _leave(self) -> None:
        """It is over, for the connection and for its exchange."""
        if self.closed:
            return
        self.sender.forget(self, self._came - self._given)
        if self._limit > _WINDOW:
            UPLOADS.give_back(self._limit - _WINDOW)
            self.sender.grow(_WINDOW - self._limit)
        self.drop(self.have)
        self.pending = None
        handler: Handler | None = self.handler
        if handler is not None:
            self.handler = None
            handler.client_gone()
