"""Connections without sockets: a client's and an instance's as they serve, down to where bytes would be written.

`Line` is what a socket and its peer would do, as `lb.proxy.io.wire` uses them: bytes come one event at a time, an end
is told once, what is not taken waits in a backlog, and a close waits for the backlog.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from lb.proxy.engine import Engine
from lb.proxy.http1.connection import Client
from lb.proxy.io.read_buffer import ReadBuffer
from lb.proxy.upstream.connection import Upstream
from lb.routing.instance import Instance

_HIGH = 65536  # of a backlog, as in lb.proxy.io.wire
_LOW = 16384

CONNECTING, OPEN, CLOSING, LINGERING, CLOSED = range(5)
END = "end"
RESET = "reset"

_Class = TypeVar("_Class", bound=type)


class Line:
    """The far end of `wire`. `note` is told what the proxy does: "data" with bytes, or a word of the dialogue."""

    def __init__(self, wire: Any, note: Callable[[str, bytes], None], *, outward: bool) -> None:
        self._wire = wire
        self._note = note
        self._outward = outward
        self._coming: deque[bytes | str] = deque()
        self._backlog = bytearray()
        self._window: int | None = None  # bytes that the peer still takes; None: any number
        self._held = 0  # when the proxy asked last
        self._is_ending = self._lingers = self._has_ended = self._is_broken = self._is_gone = False
        self._wants_turn = False
        self.state = OPEN

    # What the peer does

    def come(self, what: bytes | str) -> None:
        """These bytes, END or RESET are on their way to the proxy."""
        self._coming.append(what)

    def vanish(self) -> None:
        """Whatever is written from now on fails."""
        self._is_gone = True

    def stop_reading(self) -> None:
        self._window = 0

    def read(self, most: int | None) -> None:
        """The peer takes so many bytes, or all that come from now on."""
        self._window = most
        data = bytes(self._backlog[:most])
        del self._backlog[: len(data)]
        if not data:
            return
        self._took(data)
        if not self._backlog and self.state == CLOSING:
            self.finish_close()
            if self.state == CLOSED:
                return
        elif not self._backlog and self._is_ending:
            self._note("ends", b"")
        if len(self._backlog) <= _LOW:
            self._wire.full = False
        self._wire.drained()

    def _took(self, data: bytes) -> None:
        if self._window is not None:
            self._window -= len(data)
        self._note("data", data)

    # What the proxy's poller would do

    def turn(self) -> bool:
        """Tell the proxy the next thing that has happened; False if there is nothing that it would be told now."""
        if self.state in (CONNECTING, CLOSED):
            return False
        if self._is_broken:
            return self._last_words()
        if self._wants_turn:
            self._wants_turn = False
            if self._wire.have and self.state == OPEN:
                self._wire.received()
            return True
        return bool(self._coming) and self._hear()

    def _hear(self) -> bool:
        what = self._coming[0]
        if what == RESET and self._has_ended:
            return self._lose(errno.ECONNRESET)
        if self._wire.paused and self.state == OPEN:
            if what != RESET or self._outward:
                return False
            self._coming.popleft()
            self._wire.failure = errno.ECONNRESET
            self._wire.severed()
            return True
        self._coming.popleft()
        if what == RESET:
            return self._lose(errno.ECONNRESET)
        if what == END:
            self._has_ended = True
            if self.state == LINGERING:
                self.finalize()
            elif self.state == OPEN:
                self._wire.ended()
        elif self.state == OPEN:
            self._wire.fill(what)
            self._wire.received()
        return True

    def _last_words(self) -> bool:
        """A write failed: what an instance said before is still heard."""
        if self._outward and self.state == OPEN and not self._has_ended and self._coming:
            return not self._wire.paused and self._hear()
        return self._lose(errno.EPIPE)

    def _lose(self, error: int) -> bool:
        self._wire.failure = error
        self.finalize()
        return True

    def want_turn(self) -> None:
        self._wants_turn = True

    # What the proxy does

    def send(self, data: bytes) -> None:
        if not data or self._is_broken or self.state not in (OPEN, CLOSING):
            return
        if self._is_gone:
            self._is_broken = True
            self._backlog.clear()
            return
        most = len(data) if self._window is None else self._window
        if self._backlog:
            most = 0
        if most:
            self._took(data[:most])
        self._backlog += data[most:]
        if len(self._backlog) > _HIGH:
            self._wire.full = True

    def pause(self, paused: bool) -> None:
        if self._wire.paused != paused:
            self._wire.paused = paused
            self._note("pauses" if paused else "resumes", b"")

    def end(self) -> None:
        if self.state == OPEN and not self._is_ending and not self._is_broken:
            self._is_ending = True
            if not self._backlog:
                self._note("ends", b"")

    def close(self, *, lingering: bool) -> None:
        if lingering:
            self._lingers = True
        if self.state >= CLOSING:
            return
        if self._backlog and self.state == OPEN and not self._is_broken:
            self.state = CLOSING
        else:
            self.finish_close()

    def finish_close(self) -> None:
        if self.state != CONNECTING and not self._is_broken and self._lingers and not self._has_ended:
            self.state = LINGERING
            if not self._is_ending:
                self._note("ends", b"")
        else:
            self._note("closes", b"")
            self.finalize()

    def abort(self, word: str) -> None:
        if self.state != CLOSED:
            self._note(word, b"")
            self.finalize()

    def finalize(self) -> None:
        self.state = CLOSED
        self._wire.closed = True
        self._wire.drop(self._wire.have)
        self._backlog.clear()
        self._wire.lost()

    # What the proxy asks

    def backlog(self) -> int:
        return len(self._backlog)

    def takes(self) -> bool:
        held, self._held = self._held, len(self._backlog)
        return self._held < held

    def is_stale(self) -> bool:
        return self.state != OPEN or self._is_broken or self._has_ended or bool(self._coming)


class _OverLine:
    """The methods of a Wire by which bytes would be moved, over a Line instead."""

    line: Line

    def send(self, data: bytes) -> None:
        self.line.send(data)

    def send_with(self, prefix: bytes | None, source: ReadBuffer, suffix: bytes | None) -> None:
        self.line.send((prefix or b"") + source.take_ready() + (suffix or b""))

    def pause(self) -> None:
        self.line.pause(True)

    def resume(self) -> None:
        self.line.pause(False)

    def again(self) -> None:
        self.line.want_turn()

    def end(self) -> None:
        self.line.end()

    def close(self) -> None:
        self.line.close(lingering=False)

    def close_lingering(self) -> None:
        self.line.close(lingering=True)

    def abort(self) -> None:
        self.line.abort("closes")

    def reset(self) -> None:
        self.line.abort("breaks")

    def backlog(self) -> int:
        return self.line.backlog()

    def takes(self) -> bool:
        return self.line.takes()

    def is_stale(self) -> bool:
        return self.line.is_stale()

    def is_closing(self) -> bool:
        return self.line.state >= CLOSING

    def start_tls(self, _contexts: object) -> None:
        """The handshake never goes on; what comes instead of it is told by `unsecured`."""


def _over_line(cls: _Class) -> _Class:
    # Not by inheritance: uncompiled, each class that derives from Wire has copies of all that it inherits.
    for name, function in vars(_OverLine).items():
        if not name.startswith("_"):
            setattr(cls, name, function)
    return cls


@_over_line
class LineClient(Client):
    """A client's HTTP/1 connection."""

    def __init__(self, engine: Engine, scheme: bytes, note: Callable[[str, bytes], None]) -> None:
        super().__init__(engine, scheme, b"192.0.2.1")
        self.line = Line(self, note, outward=False)


@_over_line
class LineUpstream(Upstream):
    """A connection to an instance; `error` is what the system says to the attempt to make it."""

    def __init__(self, engine: Engine, instance: Instance, note: Callable[[str, bytes], None], error: int) -> None:
        super().__init__(engine, instance)
        self.line = Line(self, note, outward=True)
        self._error = error

    def connect(self, _poller: object, _family: int, _address: object, _packed: bytes) -> int:
        self.line.state = {0: OPEN, errno.EINPROGRESS: CONNECTING}.get(self._error, CLOSED)
        self.closed = self.line.state == CLOSED
        return self._error

    def conclude(self, error: int) -> None:
        """The attempt to connect has ended like this."""
        assert self.line.state == CONNECTING
        self.line.state = CLOSED if error else OPEN
        if error:
            self.closed = True
            self.connect_failed(error)
        else:
            self.connected()
