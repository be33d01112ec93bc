"""Reads the frames of HTTP/2 from bytes (RFC 9113 sections 4 and 6): their bounds, and what each says by itself.

A reader is given what is unread, and says what the next event is and how many bytes it took. Payload of DATA is handed
on as it comes, in pieces; every other frame is waited for whole, and a head is one event, however many CONTINUATION
frames it has. Refused are frames that are too large or of the wrong size, on a wrong stream, with too much padding, or
out of order; a head of more than eight CONTINUATION frames, with an empty one, or of too many bytes (CVE-2024-27316).

This file knows neither connections nor streams: whether a stream may have a frame, and what follows from it, is their
business. The compiled twin is `frames.pyx`.
"""

from __future__ import annotations

from lb.http.h2_errors import ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, PROTOCOL_ERROR, SessionError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first of all (RFC 9113 3.4)."""

INCOMPLETE = -1
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 16
UNKNOWN = 255

END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
"""Flags of frames."""

MOST_IN_A_FRAME = 16384
"""Bytes of payload: as large as all have to take (RFC 9113 4.2), and we announce no more."""

FRAME_HEAD = 9

_MOST_CONTINUATIONS = 8
_LAST_STREAM = 0x7FFFFFFF
_SIZES = {RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}  # of frames that have one
_ON_STREAMS = frozenset((DATA, HEADERS, PRIORITY, RST_STREAM, CONTINUATION))
_ON_CONNECTION = frozenset((SETTINGS, PING, GOAWAY, PRIORITY_UPDATE))


class FrameReader:
    """Reads what one peer sends. `kind` is the event: a frame's type, UNKNOWN for types that are ignored, INCOMPLETE if
    more has to arrive; `used` bytes were taken then, too.

    `stream` and `end_stream` are the frame's (of DATA, `end_stream` comes with the last piece), `length` is the size of
    its payload. DATA: the piece is `size` bytes at `at`; `begins` says that it is a frame's first, which tells the
    frame's `length`, all of which flow control counts, and how much of that is `padding`. `value` is an increment, an
    error code, or the stream that PRIORITY_UPDATE means; `last_stream` is GOAWAY's. `payload` is a whole header block,
    or what SETTINGS, PING, GOAWAY and PRIORITY_UPDATE contain, until the next event is read; `ack` their flag.
    `fragments` counts the CONTINUATION frames of a head, `in_block` says that a head has begun and not ended. `fault`
    is the code if the frame is an error of its stream alone, else 0.
    """

    __slots__ = (
        "_block",
        "_ends",
        "_faulty",
        "_has_settings",
        "_left",
        "_most_block",
        "_padding_left",
        "ack",
        "at",
        "begins",
        "end_stream",
        "fault",
        "fragments",
        "in_block",
        "kind",
        "last_stream",
        "length",
        "padding",
        "payload",
        "size",
        "stream",
        "used",
        "value",
    )

    def __init__(self, most_block: int = 65536) -> None:
        self._most_block = most_block
        self._has_settings = False
        self._left = self._padding_left = 0  # of the DATA frame that has begun
        self._ends = False  # END_STREAM of the frame whose payload, or whose head, has not come whole
        self._block = bytearray()
        self._faulty = 0  # the fault of a head that has not come whole
        self.kind = INCOMPLETE
        self.used = self.at = self.size = 0
        self.stream = self.length = self.padding = self.value = self.last_stream = 0
        self.end_stream = self.begins = self.ack = self.in_block = False
        self.payload = b""
        self.fault = self.fragments = 0

    def feed(self, data: bytes | bytearray, start: int) -> int:
        """The next event in `data`, from `start` on. Raises SessionError."""
        at = start
        end = len(data)
        self.at = self.size = self.fault = 0
        self.begins = self.end_stream = False
        self.kind = INCOMPLETE
        self.payload = b""  # an idle connection keeps no head
        if self._left or self._padding_left:
            at = self._take_data(at, end)
            if self.kind == DATA:
                return self._taken(start, at)
        while end - at >= FRAME_HEAD:
            kind = data[at + 3]
            length = int.from_bytes(data[at : at + 3], "big")
            if length > MOST_IN_A_FRAME:
                raise SessionError(FRAME_SIZE_ERROR, "a frame is larger than allowed")
            flags = data[at + 4]
            stream = int.from_bytes(data[at + 5 : at + 9], "big") & _LAST_STREAM
            self._check_order(kind, flags, stream)
            body = at + FRAME_HEAD
            if kind == DATA:
                if flags & PADDED and length and body == end:
                    break
                at = self._begin_data(data, body, length, flags)
            elif end - body < length:
                break
            else:
                self._take_frame(kind, flags, length, data[body : body + length])
                at = body + length
            if self.kind != INCOMPLETE:
                break
        return self._taken(start, at)

    def _taken(self, start: int, at: int) -> int:
        self.used = at - start
        if self.size:
            self.at -= start
        return self.kind

    def _check_order(self, kind: int, flags: int, stream: int) -> None:
        if not self._has_settings:
            if kind != SETTINGS or flags & ACK:
                raise _wrong("the first frame is not SETTINGS")
            self._has_settings = True
        if self.in_block:
            if kind != CONTINUATION or stream != self.stream:
                raise _wrong("a head is interrupted by another frame")
        elif kind == CONTINUATION:
            raise _wrong("a CONTINUATION frame continues nothing")
        if (stream == 0 and kind in _ON_STREAMS) or (stream and kind in _ON_CONNECTION):
            raise _wrong("a frame is on a stream where it may not be")
        self.stream = stream

    # DATA

    def _begin_data(self, data: bytes | bytearray, body: int, length: int, flags: int) -> int:
        self.padding = 0
        self._left = length
        self._padding_left = 0
        at = body
        if flags & PADDED:
            if length == 0 or data[body] >= length:
                raise _wrong("a frame has more padding than payload")
            self._padding_left = data[body]
            self.padding = self._padding_left + 1
            self._left -= self.padding
            at += 1
        self.begins = True
        self.length = length
        self._ends = flags & END_STREAM != 0
        return self._take_data(at, len(data))

    def _take_data(self, at: int, end: int) -> int:
        """Take what has come of a DATA frame's payload and padding; returns the place after it."""
        begin = at
        size = min(self._left, end - at)
        at += size
        self._left -= size
        padding = min(self._padding_left, end - at) if not self._left else 0
        at += padding
        self._padding_left -= padding
        self.end_stream = self._ends and not self._left and not self._padding_left
        if size or self.begins or self.end_stream:
            self.kind = DATA
            self.size = size
            self.at = begin if size else 0
        return at

    # Other frames

    def _take_frame(self, kind: int, flags: int, length: int, body: bytes | bytearray) -> None:
        if length != _SIZES.get(kind, length):
            raise _misfit()
        self.length = length
        match kind:
            case 1:
                self._headers(flags, body)
            case 9:
                self._continuation(flags, body)
            case 2:
                self._priority(body)
            case 3 | 8:
                self._number(kind, body)
            case 5:
                raise _wrong("a PUSH_PROMISE frame came from where none may come")
            case 4 | 6 | 7 | 16:
                self._of_connection(kind, flags, body)
            case _:
                kind = UNKNOWN
        if not self.in_block:
            self.kind = HEADERS if kind == CONTINUATION else kind

    def _headers(self, flags: int, body: bytes | bytearray) -> None:
        begin, end = 0, len(body)
        if flags & PADDED:
            if end == 0:
                raise _misfit()
            end -= body[0]
            begin = 1
        if flags & WITH_PRIORITY:
            if len(body) - begin < 5:
                raise _misfit()
            if _depends_on(body[begin : begin + 5]) == self.stream:
                self.fault = PROTOCOL_ERROR
            begin += 5
        if begin > end:
            raise _wrong("a frame has more padding than payload")
        self.fragments = 0
        self._ends = flags & END_STREAM != 0
        if end - begin > self._most_block:
            raise _flood("a head is larger than allowed")
        if flags & END_HEADERS:
            self.end_stream = self._ends
            self.payload = bytes(body[begin:end])
        else:
            self.in_block = True
            self._block = bytearray(body[begin:end])
            self._faulty = self.fault

    def _continuation(self, flags: int, body: bytes | bytearray) -> None:
        self.fragments += 1
        if self.fragments > _MOST_CONTINUATIONS:
            raise _flood("a head has too many CONTINUATION frames")
        if not body and not flags & END_HEADERS:
            raise _flood("a CONTINUATION frame is empty")
        if len(self._block) + len(body) > self._most_block:
            raise _flood("a head is larger than allowed")
        self._block += body
        if flags & END_HEADERS:
            self.in_block = False
            self.end_stream = self._ends
            self.fault = self._faulty
            self.payload = bytes(self._block)
            self._block = bytearray()

    def _priority(self, body: bytes | bytearray) -> None:
        if len(body) != 5:
            self.fault = FRAME_SIZE_ERROR
        elif _depends_on(body) == self.stream:
            self.fault = PROTOCOL_ERROR

    def _of_connection(self, kind: int, flags: int, body: bytes | bytearray) -> None:
        if kind == GOAWAY:
            if len(body) < 8:
                raise _misfit()
            self.last_stream = int.from_bytes(body[:4], "big") & _LAST_STREAM
            self.value = int.from_bytes(body[4:8], "big")
            self.payload = bytes(body[8:])
        elif kind == PRIORITY_UPDATE:
            self._priority_update(body)
        else:
            self.ack = flags & ACK != 0
            if kind == SETTINGS and (len(body) % 6 or (self.ack and body)):
                raise _misfit()
            self.payload = bytes(body)

    def _number(self, kind: int, body: bytes | bytearray) -> None:
        self.value = int.from_bytes(body, "big")
        if kind == WINDOW_UPDATE:
            self.value &= _LAST_STREAM
            if self.value == 0:
                if self.stream == 0:
                    raise _wrong("a window is updated by nothing")
                self.fault = PROTOCOL_ERROR

    def _priority_update(self, body: bytes | bytearray) -> None:
        if len(body) < 4:
            raise _misfit()
        self.value = int.from_bytes(body[:4], "big") & _LAST_STREAM
        if self.value == 0:
            raise _wrong("a priority is that of no stream")
        self.payload = bytes(body[4:])


def _depends_on(body: bytes | bytearray) -> int:
    return int.from_bytes(body[:4], "big") & _LAST_STREAM


def _wrong(detail: str) -> SessionError:
    return SessionError(PROTOCOL_ERROR, detail)


def _misfit() -> SessionError:
    return SessionError(FRAME_SIZE_ERROR, "a frame has a wrong size")


def _flood(detail: str) -> SessionError:
    return SessionError(ENHANCE_YOUR_CALM, detail)
