"""A client's HTTP/2 connection (RFC 9113): frames become requests, each with a stream and an exchange of its own.

It is what the connection tells of its events, as it would tell an exchange over HTTP/1. It knows which streams there
are and what the client may do with them; a fault of one stream ends that stream, a fault of the connection all of them.
How responses are sent is the business of `sender` and `stream`, what a request means that of its exchange. Heads are
read by `http/hpack`, which makes the text of HTTP/1 of them: both protocols refuse the same things.
"""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.frames import (
    DATA,
    HEADERS,
    INCOMPLETE,
    PREFACE,
)
from lb.http.h2_errors import (
    FLOW_CONTROL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    MalformedError,
    SessionError,
)
from lb.http.h2_settings import (
    ENABLE_CONNECT_PROTOCOL,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    NO_RFC7540_PRIORITIES,
)
from lb.http.head import find_places, without_fields
from lb.http.refused import Refused
from lb.process.remaining import CONNECTION
from lb.proxy.exchange.exchange import Exchange
from lb.proxy.http2.control_frames import ControlFrames
from lb.proxy.http2.sender import WINDOW as CONNECTION_WINDOW
from lb.proxy.http2.stream import Stream

if TYPE_CHECKING:
    from lb.http.head import RequestHead

MOST_STREAMS = 100
"""Requests that one connection may have under way; the client is told."""

_MOST_STREAMS = MOST_STREAMS
_MOST_HEADS = 1 << 20  # bytes of the heads of requests under way: one of 64 KB may have come as twenty bytes
_TURN = 256  # frames that are read before other connections have their turn
_HEAD = 8  # as many as one that begins a request counts
_UNSENT = 262144  # bytes that a client does not take, from which on it is not read
_GRACE = 1.0  # seconds for a client that is to go to deliver the request that is on its way
_PREFACE_SIZE = len(PREFACE)
_KEY = frozenset((b"sec-websocket-key",))  # of HTTP/1.1 only (RFC 8441 section 5)


class Session(ControlFrames):
    """One connection, as its events and its requests see it."""

    __slots__ = ()

    def begin(self) -> None:
        """Take over the connection."""
        self.engine.http2.sessions += 1
        wire = self.wire
        wire.tell(self)
        writer = self.sender.writer
        writer.settings(
            (
                (MAX_CONCURRENT_STREAMS, MOST_STREAMS),
                (MAX_HEADER_LIST_SIZE, self.engine.snapshot.limits.total),
                (ENABLE_CONNECT_PROTOCOL, 1),
                (NO_RFC7540_PRIORITIES, 1),
            )
        )
        writer.window_update(0, CONNECTION_WINDOW - 65535)
        self.sender.touch()
        wire.arm()
        if self.engine.draining:
            self.sender.go_away()

    # Events of the connection

    def request_data(self) -> None:
        """Read what has arrived."""
        try:
            self._read()
        except SessionError as error:
            self._fail(error.code, error.detail.encode("ascii", "replace"))
        if not self.sender.closed:
            if self._budgets.wants_goaway:
                self.sender.go_away()
            self.sender.flush()

    def client_drained(self) -> None:
        wire = self.wire
        if wire.paused and self.sender.unsent() <= _UNSENT:
            wire.resume()
            if wire.have:
                wire.again()
        self.sender.flush()

    def client_ended(self) -> bool:
        """A client that shuts its side of a connection with several requests has left."""
        self.wire.abort()
        return False

    def client_severed(self) -> None:
        self.wire.abort()

    def client_late(self) -> None:
        """Nothing is under way, and nothing has come for too long."""
        if self._in_block or not self._greeted:
            self._fail(PROTOCOL_ERROR, b"the head took too long")
        else:
            self._fail(NO_ERROR, b"")

    def client_stopped(self) -> None:
        for stream in self._streams():
            if stream.handler is not None:
                stream.handler.client_stopped()
        self.wire.abort()

    def client_gone(self) -> None:
        failure = self.wire.failure
        for stream in self._streams():
            stream.lost(failure)
        self.sender.closed = True
        if self.sender.slot >= 0:
            self.engine.deadlines.forget(self.sender)

    def go_away(self) -> None:
        self.sender.go_away()

    def cut(self) -> None:
        """End it because the service ends: what was sent so far still arrives."""
        for stream in self._streams():
            if stream.handler is not None:
                stream.handler.cut()
        self._fail(NO_ERROR, b"")

    # Queries of the connection, of the engine and of eviction

    def awaits_client(self) -> bool:
        return not self.sender.streams or self._in_block

    def client_timeout(self) -> float:
        snapshot = self.engine.snapshot
        if self._in_block or not self._greeted:
            return snapshot.head
        return _GRACE if self.engine.fast_drain else snapshot.idle

    def may_be_spared(self) -> bool:
        return not self._no_request_yet and not self.sender.streams

    def can_go(self) -> bool:
        return not self.sender.streams and (self._no_request_yet or self._in_block or not self.wire.is_stale())

    def describe_all(self) -> list[tuple[str, bytes, bytes]]:
        streams = self._streams()
        if not streams:
            return [(CONNECTION, b"", b"")]
        return [(CONNECTION, b"", b"") if stream.handler is None else stream.handler.describe() for stream in streams]

    # Frames

    def _read(self) -> None:
        wire = self.wire
        frames = self._frames
        read = 0
        if not self._greeted and not self._greet():
            return
        while wire.have and not self.sender.closed:
            if self._has_to_wait(read):
                return
            kind = wire.read_frame(frames)
            if kind == INCOMPLETE:
                break
            self._budgets.received(frames, self.engine.poller.now)
            read += 1
            if kind == DATA:
                self._data()
            elif kind == HEADERS:
                read += _HEAD - 1
                self._headers()
            else:
                self._control(kind)
        if frames.in_block != self._in_block:
            self._watch_block()
        wire.resume()

    def _has_to_wait(self, read: int) -> bool:
        """Whether nothing more is read now, after so many frames in this turn; then it goes on by itself."""
        wire = self.wire
        sender = self.sender
        if sender.unsent() > _UNSENT:
            sender.flush()
            if sender.unsent() > _UNSENT:
                wire.pause()  # a client that does not read what it gets gets no more
                return True
        if read and read >= _TURN // max(self.engine.poller.ready_count, 1):
            # With many ready connections turns are shorter.
            self.engine.relieve_log()
            wire.pause()
            wire.again()
            return True
        return False

    def _watch_block(self) -> None:
        """A head has begun to arrive, which has its own time, or has arrived."""
        self._in_block = self._frames.in_block
        if self._in_block:
            self.engine.deadlines.watch(self.wire, self.engine.poller.now + self.engine.snapshot.head)
        else:
            self.wire.arm()

    def _greet(self) -> bool:
        """Read the preface; whether it is there."""
        wire = self.wire
        n = min(wire.have, _PREFACE_SIZE)
        with wire.view(n) as view:
            begins = view == PREFACE[:n]
        if not begins:
            raise SessionError(PROTOCOL_ERROR, "this is not the preface of HTTP/2")
        if n < _PREFACE_SIZE:
            return False
        wire.drop(_PREFACE_SIZE)
        self._greeted = True
        wire.arm()
        return True

    def _data(self) -> None:
        """A piece of a body."""
        frames = self._frames
        sender = self.sender
        stream = self._stream(frames.stream)
        if frames.begins:
            sender.credit -= frames.length
            if sender.credit < 0:
                raise SessionError(FLOW_CONTROL_ERROR, "more data than the connection's window allows")
            if frames.padding:
                sender.consumed(frames.padding)
        if stream is None or stream.heard_all:
            self._not_idle(frames.stream)
            sender.consumed(frames.size)
            if frames.begins and (stream is not None or not sender.was_reset(frames.stream)):
                self._stream_error(frames.stream, STREAM_CLOSED)
            return
        if frames.begins:
            stream.credit -= frames.length
            if stream.credit < 0:
                sender.consumed(frames.size)
                self._stream_error(frames.stream, FLOW_CONTROL_ERROR)
                return
            if frames.padding:
                stream.credit += frames.padding
                sender.writer.window_update(stream.number, frames.padding)
        stream.take(self.wire, frames.end_stream)

    def _headers(self) -> None:
        """A head, or trailers."""
        frames = self._frames
        sender = self.sender
        number = frames.stream
        stream = self._stream(number)
        if stream is not None:
            self._trailers(stream)
            return
        if number % 2 == 0:
            raise SessionError(PROTOCOL_ERROR, "streams of clients have odd numbers")
        if number <= sender.last:
            self._decoder.discard(frames.payload, self.engine.snapshot.limits)
            if not sender.was_reset(number):
                raise SessionError(STREAM_CLOSED, "a head on a stream that is closed")
            return
        if sender.gone:
            sender.drop(number)  # what else it sends is no fault, either (RFC 9113 section 6.8)
            self._decoder.discard(frames.payload, self.engine.snapshot.limits)
            return
        if frames.fault:
            sender.last = number
            self._decoder.discard(frames.payload, self.engine.snapshot.limits)
            self._stream_error(number, frames.fault)
            return
        if len(sender.streams) >= _MOST_STREAMS:
            self._decoder.discard(frames.payload, self.engine.snapshot.limits)
            self._refuse_stream(number)
            return
        self._request(number)

    def _refuse_stream(self, number: int) -> None:
        """A request is one too many for this connection; the client may make it again."""
        self.sender.last = number
        self.engine.http2.refused += 1
        self._budgets.refused(self.engine.poller.now)
        self.sender.reset_stream(number, REFUSED_STREAM)

    def _request(self, number: int) -> None:
        """A request begins."""
        engine = self.engine
        frames = self._frames
        sender = self.sender
        stream = Stream(sender, number, self._peer.initial_window, frames.end_stream)
        if self._no_request_yet:
            self._no_request_yet = False
            engine.evictor.spoke(self.wire)  # type: ignore[arg-type]  # a Client
        try:
            head = self._decoder.request(frames.payload, engine.snapshot.limits, frames.end_stream)
            if self._decoder.scheme == b"http" and self.info.secure:
                raise MalformedError(":scheme is http on a connection with TLS")  # noqa: TRY301
        except MalformedError:
            sender.last = number
            self._stream_error(number, PROTOCOL_ERROR)
            return
        except ProxyError as error:
            sender.open(stream)
            self._refuse(stream, error)
            return
        stream.head_size = len(head.kept)
        if sender.heads + stream.head_size > _MOST_HEADS:
            self._refuse_stream(number)
            return
        sender.open(stream)
        if self._decoder.priority:
            self._prioritize(stream, self._decoder.priority)
        if self._decoder.protocol:
            self._connect(stream, head)
        stream.expected = 0 if frames.end_stream else head.body_length
        exchange = Exchange()
        stream.tell(exchange)
        exchange.begin(engine, stream, self.info, head)
        exchange.start()

    def _refuse(self, stream: Stream, error: ProxyError) -> None:
        """Answer a head that says nothing that could be forwarded."""
        exchange = Exchange()
        stream.tell(exchange)
        exchange.begin(self.engine, stream, self.info, None)
        exchange.refuse(error, Refused(self._decoder.text()))

    def _connect(self, stream: Stream, head: RequestHead) -> None:
        """An extended CONNECT (RFC 8441): to the instance, it is an upgrade."""
        stream.connecting = True
        if self._decoder.protocol == b"websocket":
            stream.websocket_key = b64encode(os.urandom(16))
            head.kept = without_fields(head.kept, _KEY) + b"Sec-WebSocket-Key: %b\r\n" % stream.websocket_key
            find_places(head)
        if stream.heard_all:
            stream.leaving = True

    def _trailers(self, stream: Stream) -> None:
        """The fields after a body."""
        frames = self._frames
        limits = self.engine.snapshot.limits
        if stream.heard_all or frames.fault or not frames.end_stream or stream.connecting:
            self._decoder.discard(frames.payload, limits)
            code = STREAM_CLOSED if stream.heard_all else (frames.fault or PROTOCOL_ERROR)
            self._stream_error(stream.number, code)
            return
        try:
            lines = self._decoder.trailers(frames.payload, limits)
        except MalformedError:
            self._stream_error(stream.number, PROTOCOL_ERROR)
        except ProxyError as error:
            if stream.handler is not None:
                stream.handler.fail(error)
        else:
            stream.take_trailers(lines)
