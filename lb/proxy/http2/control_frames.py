"""What a client says about its HTTP/2 connection and its streams, apart from requests: windows, settings, priorities,
resets and pings; and what becomes of a stream or of the connection if it says something wrong.

It has the state of a session. Requests, and the events of the connection, are in `session`, which derives from this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.http.frames import GOAWAY, PING, PRIORITY, PRIORITY_UPDATE, RST_STREAM, SETTINGS, WINDOW_UPDATE, FrameReader
from lb.http.h2_errors import FLOW_CONTROL_ERROR, PROTOCOL_ERROR, SessionError
from lb.http.h2_settings import PeerSettings
from lb.http.hpack import HpackDecoder
from lb.http.priority import parse_priority
from lb.proxy.handler import Handler
from lb.proxy.http2.sender import Sender
from lb.proxy.http2.stream import Stream

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo
    from lb.proxy.engine import Engine
    from lb.proxy.io.wire import Wire

_LARGEST_WINDOW = 2**31 - 1


class ControlFrames(Handler):
    """One connection. `wire` carries it, `sender` has its streams, `info` describes the client."""

    __slots__ = (
        "_budgets",
        "_decoder",
        "_frames",
        "_greeted",
        "_in_block",
        "_no_request_yet",
        "_peer",
        "engine",
        "info",
        "sender",
        "wire",
    )

    def __init__(self, wire: Wire, engine: Engine, info: ClientInfo) -> None:
        self.wire = wire
        self.engine = engine
        self.info = info
        self.sender = Sender(wire, engine)
        self._budgets = self.sender.budgets
        self._decoder = HpackDecoder()
        self._frames = FrameReader(engine.snapshot.limits.total)
        self._peer = PeerSettings()
        self._greeted = False  # the client has sent its preface
        self._in_block = False  # a head has begun
        self._no_request_yet = True

    def _streams(self) -> list[Stream]:
        """Those that are open now; the caller may end them."""
        return list(self.sender.streams.values())  # type: ignore[arg-type]  # it opens no others

    def _prioritize(self, stream: Stream, value: bytes) -> None:
        """Give a stream the priority that its client wants (RFC 9218)."""
        urgency, incremental = parse_priority(value)
        queued = stream.queued
        if queued:
            self.sender.scheduler.remove(stream)
        stream.urgency = urgency
        stream.takes_turns = incremental
        if queued:
            self.sender.scheduler.add(stream)

    def _stream(self, number: int) -> Stream | None:
        """The open stream of this number."""
        return self.sender.streams.get(number)  # type: ignore[return-value]  # it opens no others

    def _control(self, kind: int) -> None:
        """A frame that neither begins nor carries a message."""
        frames = self._frames
        if kind == WINDOW_UPDATE:
            self._more_window()
        elif kind == RST_STREAM:
            self._reset()
        elif kind == PRIORITY:
            if frames.fault:
                self._stream_error(frames.stream, frames.fault)
        elif kind == PRIORITY_UPDATE:
            stream = self._stream(frames.value)
            if stream is not None:
                self._prioritize(stream, frames.payload)
        else:
            self._of_connection(kind)

    def _of_connection(self, kind: int) -> None:
        """A frame that is about no stream."""
        frames = self._frames
        if kind == GOAWAY:
            self.sender.go_away()
        elif kind == PING:
            if not frames.ack:
                self.sender.writer.ping(frames.payload, True)
        elif kind == SETTINGS and not frames.ack:
            self._settings()

    def _reset(self) -> None:
        """The client wants no response any more."""
        number = self._frames.stream
        stream = self._stream(number)
        if stream is None:
            self._not_idle(number)
            return
        self.engine.http2.resets_by_clients += 1
        if stream.handler is not None:
            self._budgets.reset_by_client(self.engine.poller.now)
        stream.cancelled()

    def _more_window(self) -> None:
        """The client may be sent more."""
        frames = self._frames
        sender = self.sender
        if frames.stream == 0:
            sender.window += frames.value
            if sender.window > _LARGEST_WINDOW:
                raise SessionError(FLOW_CONTROL_ERROR, "the connection's window is too large")
            return
        stream = self._stream(frames.stream)
        if stream is None:
            self._not_idle(frames.stream)
        elif frames.fault:
            self._stream_error(frames.stream, frames.fault)
        elif stream.window + frames.value > _LARGEST_WINDOW:
            self._stream_error(frames.stream, FLOW_CONTROL_ERROR)
        else:
            stream.window += frames.value
            self._ready_again(stream)

    def _settings(self) -> None:
        """What the client can do."""
        change = self._peer.apply(self._frames.payload)
        if change:
            self._budgets.window_change(self.engine.poller.now)
            for stream in self._streams():
                stream.window += change
                if stream.window > _LARGEST_WINDOW:
                    raise SessionError(FLOW_CONTROL_ERROR, "a stream's window is too large")
                self._ready_again(stream)
        self.sender.writer.settings_ack()

    def _ready_again(self, stream: Stream) -> None:
        """Its window has changed."""
        if stream.window > 0:
            if stream.waiting() and not stream.queued:
                self.sender.scheduler.add(stream)
        elif stream.queued:
            self.sender.scheduler.remove(stream)

    # Faults

    def _not_idle(self, number: int) -> None:
        """Raise SessionError if there was no such stream yet. After the last GOAWAY, streams begin that are ignored."""
        if number % 2 == 0 or (number > self.sender.last and not self.sender.gone):
            raise SessionError(PROTOCOL_ERROR, "a frame for a stream that has not begun")

    def _stream_error(self, number: int, code: int) -> None:
        """The client has made a fault that ends one stream."""
        self._budgets.reset_by_us(self.engine.poller.now)
        stream = self._stream(number)
        if stream is not None:
            stream.break_off(code)
        else:
            self.sender.reset_stream(number, code)

    def _fail(self, code: int, detail: bytes) -> None:
        """End the connection: tell the client why, and close."""
        for stream in self._streams():
            stream.lost(0)
        self.sender.fail(code, detail)
