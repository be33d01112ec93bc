"""The sending half of an HTTP/2 connection, and what its streams share: windows, the writer, whose turn it is.

Whatever is to be sent becomes frames in one buffer, which goes to the socket once at the end of each turn: many streams
then cost one system call. What a stream may not send yet waits in the stream (`flow`). This file knows streams as flows
of bytes, and of the connection how much it takes; it knows neither requests nor what the client sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.http.frame_budgets import FrameBudgets
from lb.http.frame_writer import FrameWriter
from lb.http.h2_errors import NO_ERROR
from lb.proxy.downstream import Downstream
from lb.proxy.http2.flow import Flow
from lb.proxy.http2.scheduler import Scheduler
from lb.proxy.io.deadlines import NEVER

if TYPE_CHECKING:
    from lb.proxy.engine import Engine
    from lb.proxy.io.read_buffer import ReadBuffer
    from lb.proxy.io.wire import Wire

FRAME = 16384
"""Bytes of data in a frame: what every client takes, and small enough for others to have their turn."""

WINDOW = 1 << 20
"""Bytes of request bodies that a client may have under way on one connection; more for each stream that is fast."""

_FRAME = FRAME
_WINDOW = WINDOW
_AT_ONCE = 131072  # bytes that are written before the socket is asked whether it takes more
_TURN = 262144  # bytes that one connection sends before others have their turn
_REMEMBERED = 200  # streams that we have reset: their clients may not know yet
_UNTIL_LAST = 1.0  # seconds for requests that were under way when a GOAWAY went
_LAST_STREAM = 2**31 - 1


class Sender(Downstream):
    """One connection. `streams` are the open ones by their numbers, `last` the highest number so far. `window` is how
    many bytes of data the client may be sent, `credit` how many it may send; `kept` counts what waits in streams,
    `heads` the bytes of their requests' heads. `going` says that the client was told to make no more requests here,
    `gone` that no more are accepted.

    As a `Downstream` it has a turn and a deadline of its own: that of the second GOAWAY.
    """

    __slots__ = (
        "_dropped",
        "_due",
        "_grown",
        "_most_grown",
        "_moved",
        "_turn_due",
        "budgets",
        "credit",
        "engine",
        "going",
        "gone",
        "heads",
        "kept",
        "last",
        "scheduler",
        "streams",
        "window",
        "wire",
        "writer",
    )

    def __init__(self, wire: Wire, engine: Engine) -> None:
        super().__init__()
        self.set_up()
        self.wire = wire
        self.engine = engine
        self.writer = FrameWriter()
        self.budgets = FrameBudgets(engine.poller.now)
        self.scheduler = Scheduler()
        self.streams: dict[int, Flow] = {}
        self.window = 65535
        self.credit = _WINDOW
        self.last = self.kept = self.heads = 0
        self.going = self.gone = self._turn_due = False
        self._moved: list[Flow] = []
        self._dropped: dict[int, None] = {}
        self._due = self._grown = self._most_grown = 0

    # Streams

    def open(self, stream: Flow) -> None:
        """A stream has begun."""
        self.last = stream.number
        self.streams[stream.number] = stream
        self.heads += stream.head_size
        self.budgets.opened()
        if len(self.streams) == 1:
            self.wire.arm()

    def forget(self, stream: Flow, unread: int) -> None:
        """A stream is over; `unread` bytes of its request were never taken."""
        stream.closed = True
        if self.streams.pop(stream.number, None) is None:
            return
        if stream.queued:
            self.scheduler.remove(stream)
        self.kept -= stream.waiting()
        self.heads -= stream.head_size
        if stream.slot >= 0:
            self.engine.deadlines.forget(stream)
        if unread:
            self.consumed(unread)
        if not self.streams:
            if self.gone:
                self.touch()
            if not self.wire.closed:  # one that is closed is to be forgotten, not watched
                self.wire.read_much(False)
                self.wire.arm()

    def drop(self, number: int) -> None:
        """We have reset this stream: what its client has sent meanwhile is no fault."""
        if len(self._dropped) >= _REMEMBERED:
            del self._dropped[next(iter(self._dropped))]
        self._dropped[number] = None

    def reset_stream(self, number: int, code: int) -> None:
        """Tell the client that this stream is over, for this reason."""
        self.writer.reset(number, code)
        self.drop(number)
        self.engine.http2.resets_by_us += 1
        self.touch()

    def was_reset(self, number: int) -> bool:
        """Whether we have reset this stream, not long ago."""
        return number in self._dropped

    # What the client may send

    def consumed(self, n: int) -> None:
        """So many bytes of data are ours no more: the client may send as many."""
        self._due += n
        if self._due * 2 >= _WINDOW:
            self.writer.window_update(0, self._due)
            self.credit += self._due
            self._due = 0
            self.touch()

    def grow(self, by: int) -> None:
        """A stream's window has become so much larger, or smaller again: the connection's has room for it."""
        self._grown += by
        if self._grown > self._most_grown:
            self.consumed(self._grown - self._most_grown)
            self._most_grown = self._grown

    # Sending

    def touch(self) -> None:
        """Something is to be sent: do so at the end of this round."""
        if not self._turn_due:
            self._turn_due = True
            self.engine.poller.later(self)

    def remind(self, stream: Flow) -> None:
        """Call `took` on this stream when others have had their turn."""
        if not stream.moved:
            stream.moved = True
            self._moved.append(stream)
        self.touch()

    def on_turn(self) -> None:
        """The end of a round."""
        self._turn_due = False
        self.flush()

    def on_events(self, _events: int) -> int:
        """As `on_turn`, when compiled."""
        self._turn_due = False
        self.flush()
        return 0

    def unsent(self) -> int:
        """Bytes that wait for the socket."""
        return self.writer.pending + self.wire.backlog()

    def flush(self) -> None:
        """Send what is there, and what waited as far as its turn has come."""
        wire = self.wire
        if wire.closed:
            return
        room = _TURN
        while True:
            if room > 0 and self._may_write():
                room -= self._write_frames(min(room, _AT_ONCE))
            if not self.writer.pending:
                break
            wire.send(self.writer.take())
        if self._moved:
            self._report()
        if self._may_write():
            self.touch()
        if wire.backlog():
            if wire.deadline >= NEVER:
                wire.arm()  # it has to take something in time
        elif self.gone and not self.streams and not self.writer.pending:
            self._end()

    def _may_write(self) -> bool:
        """Whether something waits only for its turn."""
        return self.scheduler.count > 0 and self.window > 0 and not self.wire.full

    def _report(self) -> None:
        """Tell the streams that were sent from, and those that wanted to be reminded."""
        moved = self._moved
        self._moved = []
        for stream in moved:
            stream.moved = False
            stream.took()

    def _write_frames(self, most: int) -> int:
        """Write about so many bytes of what waits, frame by frame; returns how many."""
        written = 0
        while written < most and self.window > 0 and self.scheduler.count:
            flow = self.scheduler.turn()
            pending: ReadBuffer = flow.pending  # type: ignore[assignment]  # it waits for its turn
            n = min(pending.have, _FRAME, flow.window, self.window)
            last = n == pending.have and flow.trailers is not None and not flow.trailers
            pending.read_up_to(n)
            pending.write_frame(self.writer, flow.number, n, last)
            self.budgets.sent_data()
            flow.window -= n
            self.window -= n
            self.kept -= n
            written += n
            if not flow.moved:
                flow.moved = True
                self._moved.append(flow)
            if not pending.have:
                self.scheduler.remove(flow)
                pending.free_if_empty()
                flow.ended = last
                if flow.trailers:
                    self.writer.trailers(flow.number, flow.trailers)
                    flow.ended = True
            elif flow.window <= 0:
                self.scheduler.remove(flow)
            else:
                self.scheduler.went(flow)
        return written

    # The end

    def go_away(self) -> None:
        """Tell the client to make its next requests on another connection; those that are under way are answered."""
        if self.going or self.wire.closed:
            return
        self.going = True
        self.engine.http2.goaways += 1
        self.writer.goaway(_LAST_STREAM, NO_ERROR, b"")
        self.engine.deadlines.watch(self, self.engine.poller.now + _UNTIL_LAST)
        self.touch()

    def expired(self) -> None:
        """The client has been told, and has had time to send what it had begun: accept no more."""
        self.refuse_more(NO_ERROR, b"")

    def refuse_more(self, code: int, detail: bytes) -> None:
        """Accept no more requests, for this reason; the connection ends when those that were accepted are done."""
        if not self.gone:
            self.going = self.gone = True
            self.writer.goaway(self.last, code, detail)
            self.touch()

    def fail(self, code: int, detail: bytes) -> None:
        """End the connection because of what its client did; its streams are over."""
        if not self.closed:
            self.engine.http2.failed(code)
            self.gone = False
            self.refuse_more(code, detail)
            self.flush()
            self._end()

    def _end(self) -> None:
        """Close, once what was sent has gone."""
        if not self.closed:
            self.closed = True
            if self.slot >= 0:
                self.engine.deadlines.forget(self)
            self.wire.done(False, True)

    def abort(self) -> None:
        """End it now."""
        self.closed = True
        self.wire.abort()
