"""Frames are read whole and byte by byte alike, and refused for what RFC 9113 says; other code wrote them."""

from __future__ import annotations

import pytest
from hyperframe import frame

from lb.http.frames import (
    DATA,
    GOAWAY,
    HEADERS,
    INCOMPLETE,
    PING,
    PREFACE,
    PRIORITY,
    PRIORITY_UPDATE,
    RST_STREAM,
    SETTINGS,
    UNKNOWN,
    WINDOW_UPDATE,
    FrameReader,
)
from lb.http.h2_errors import ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, PROTOCOL_ERROR, SessionError

FIRST = frame.SettingsFrame(0).serialize()
_SAID = ("stream", "end_stream", "length", "value", "payload", "last_stream", "ack", "fault", "fragments")


def raw(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Any frame, also one that may not be."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class Read:
    """All that a reader says of these bytes, given in pieces of a size."""

    def __init__(self, data: bytes, size: int, most_block: int = 65536) -> None:
        self.reader = FrameReader(most_block)
        self.kinds: list[int] = []
        self.payload = b""  # of DATA
        self.heads: list[tuple[bytes, int]] = []
        self.flow = self.padding = self.ends = 0
        have = b""
        for at in range(0, len(data), size):
            have += data[at : at + size]
            while self.reader.feed(bytearray(have), 0) != INCOMPLETE:
                self._event(have)
                have = have[self.reader.used :]
            have = have[self.reader.used :]
        self.left = have

    def _event(self, have: bytes) -> None:
        reader = self.reader
        if reader.kind != DATA:
            self.kinds.append(reader.kind)
            if reader.kind == HEADERS:
                self.heads.append((reader.payload, reader.fragments))
            return
        self.payload += have[reader.at : reader.at + reader.size]
        self.ends += reader.end_stream
        if reader.begins:
            self.kinds.append(DATA)
            self.flow += reader.length
            self.padding += reader.padding


def event(data: bytes, size: int) -> FrameReader:
    """The reader after one frame that follows SETTINGS."""
    read = Read(FIRST + data, size)
    assert len(read.kinds) == 2
    reader = FrameReader()
    reader.feed(FIRST, 0)
    while reader.feed(data, 0) == INCOMPLETE:
        data = data[reader.used :]
    return reader


SIZES = (1, 7, 9, 1 << 20)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("written", "kind", "said"),
    [
        (frame.HeadersFrame(3, b"block", flags=["END_HEADERS"]), HEADERS, {"stream": 3, "payload": b"block"}),
        (
            frame.HeadersFrame(3, b"", flags=["END_HEADERS", "END_STREAM"]),
            HEADERS,
            {"end_stream": True, "payload": b""},
        ),
        (
            frame.HeadersFrame(3, b"block", flags=["END_HEADERS", "PADDED"], pad_length=4),
            HEADERS,
            {"payload": b"block"},
        ),
        (
            frame.HeadersFrame(3, b"b", flags=["END_HEADERS", "PRIORITY"], depends_on=1),
            HEADERS,
            {"payload": b"b", "fault": 0},
        ),
        (frame.PriorityFrame(3, depends_on=1), PRIORITY, {"stream": 3, "fault": 0}),
        (frame.RstStreamFrame(3, error_code=8), RST_STREAM, {"stream": 3, "value": 8}),
        (frame.SettingsFrame(0, settings={4: 5}), SETTINGS, {"payload": b"\0\4\0\0\0\5", "ack": False}),
        (frame.SettingsFrame(0, flags=["ACK"]), SETTINGS, {"payload": b"", "ack": True}),
        (frame.PingFrame(0, opaque_data=b"12345678"), PING, {"payload": b"12345678", "ack": False}),
        (frame.PingFrame(0, opaque_data=b"12345678", flags=["ACK"]), PING, {"ack": True}),
        (
            frame.GoAwayFrame(0, last_stream_id=9, error_code=2, additional_data=b"why"),
            GOAWAY,
            {"last_stream": 9, "value": 2, "payload": b"why"},
        ),
        (frame.WindowUpdateFrame(0, window_increment=5), WINDOW_UPDATE, {"stream": 0, "value": 5}),
        (frame.WindowUpdateFrame(3, window_increment=2**31 - 1), WINDOW_UPDATE, {"stream": 3, "value": 2**31 - 1}),
        (frame.AltSvcFrame(3, b"", b"x"), UNKNOWN, {"length": 3}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, frame.Frame) else None,
)
def test_what_a_frame_says(written: frame.Frame, kind: int, said: dict[str, object], size: int) -> None:
    # spec: W1
    reader = event(written.serialize(), size)
    assert reader.kind == kind
    assert {name: getattr(reader, name) for name in said} == said


@pytest.mark.parametrize("size", SIZES)
def test_a_priority_update(size: int) -> None:
    # spec: W1
    reader = event(raw(16, 0, 0, b"\x80\0\0\7u=1"), size)
    assert (reader.kind, reader.value, reader.payload) == (PRIORITY_UPDATE, 7, b"u=1")


@pytest.mark.parametrize("size", SIZES)
def test_types_that_nobody_knows_are_skipped(size: int) -> None:
    # spec: W1
    assert event(raw(0x42, 0xFF, 3, b"anything"), size).kind == UNKNOWN
    assert event(raw(0xFF, 0xFF, 0, b""), size).kind == UNKNOWN


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", [0, 1, 200])
def test_data_comes_in_pieces_and_is_counted_once(size: int, padding: int) -> None:
    # spec: F3 W1
    flags = ["PADDED"] if padding else []
    first = frame.DataFrame(1, b"a" * 300, flags=flags, pad_length=padding)
    last = frame.DataFrame(1, b"b" * 30, flags=[*flags, "END_STREAM"], pad_length=padding)
    read = Read(FIRST + first.serialize() + last.serialize(), size)
    assert read.kinds == [SETTINGS, DATA, DATA]
    assert (read.payload, read.ends, read.left) == (b"a" * 300 + b"b" * 30, 1, b"")
    assert read.padding == (2 * (padding + 1) if padding else 0)
    assert read.flow == 330 + read.padding


@pytest.mark.parametrize("size", SIZES)
def test_empty_data_ends_a_stream(size: int) -> None:
    # spec: W1
    read = Read(FIRST + raw(0, 0, 1, b"") + raw(0, 8, 1, b"\2\0\0") + raw(0, 9, 1, b"\0"), size)
    assert (read.kinds, read.payload, read.flow, read.padding, read.ends) == (
        [SETTINGS, DATA, DATA, DATA],
        b"",
        4,
        4,
        1,
    )


def test_data_is_handed_on_before_its_frame_is_whole() -> None:
    # spec: F3
    reader = FrameReader()
    assert reader.feed(FIRST, 0) == SETTINGS
    data = raw(0, 1, 1, b"0123456789")
    assert reader.feed(b"xx" + data[:12], 2) == DATA
    assert (reader.at, reader.size, reader.used, reader.length, reader.begins, reader.end_stream) == (
        9,
        3,
        12,
        10,
        True,
        False,
    )
    assert reader.feed(data[12:], 0) == DATA
    assert (reader.at, reader.size, reader.used, reader.begins, reader.end_stream) == (0, 7, 7, False, True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("parts", [1, 2, 8])
def test_a_head_in_several_frames_is_one_event(parts: int, size: int) -> None:
    # spec: W1
    data = FIRST + frame.HeadersFrame(1, b"begin", flags=["END_STREAM"]).serialize()
    for part in range(parts):
        flags = ["END_HEADERS"] if part == parts - 1 else []
        data += frame.ContinuationFrame(1, b"%d" % part, flags=flags).serialize()
    read = Read(data, size)
    assert read.kinds == [SETTINGS, HEADERS]
    assert read.heads == [(b"begin" + b"".join(b"%d" % part for part in range(parts)), parts)]
    assert not read.reader.in_block
    assert read.reader.payload == b"", "an idle connection keeps no head"


def test_a_head_that_is_not_whole_is_known() -> None:
    # spec: L4
    reader = FrameReader()
    reader.feed(FIRST, 0)
    data = frame.HeadersFrame(1, b"begin").serialize()
    assert reader.feed(data, 0) == INCOMPLETE
    assert (reader.used, reader.in_block) == (len(data), True)
    assert reader.feed(raw(9, 4, 1, b""), 0) == HEADERS
    assert (reader.in_block, reader.end_stream) == (False, False)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (raw(2, 0, 3, b"\0\0\0\3\0"), PROTOCOL_ERROR),
        (raw(2, 0, 3, b"\x80\0\0\3\0"), PROTOCOL_ERROR),
        (raw(2, 0, 3, b"\0\0\0\1"), FRAME_SIZE_ERROR),
        (raw(2, 0, 3, b"\0\0\0\1\0\0"), FRAME_SIZE_ERROR),
        (raw(8, 0, 3, b"\0\0\0\0"), PROTOCOL_ERROR),
        (raw(8, 0, 3, b"\x80\0\0\0"), PROTOCOL_ERROR),
        (raw(1, 0x24, 3, b"\0\0\0\3\0block"), PROTOCOL_ERROR),
        (raw(1, 0x20, 3, b"\0\0\0\3\0block") + raw(9, 4, 3, b""), PROTOCOL_ERROR),
    ],
)
def test_a_fault_of_one_stream(data: bytes, code: int) -> None:
    # spec: W1
    assert event(data, 1 << 20).fault == code
    assert event(data + raw(6, 0, 0, b"12345678")[:0], 9).fault == code


REFUSED: tuple[tuple[bytes, int, str], ...] = (
    (raw(0, 0, 1, b"a" * 16385), FRAME_SIZE_ERROR, "larger than allowed"),
    (raw(1, 4, 1, b"a" * 16385), FRAME_SIZE_ERROR, "larger than allowed"),
    (raw(0x42, 0, 1, b"a" * 16385), FRAME_SIZE_ERROR, "larger than allowed"),
    (raw(0, 0, 0, b""), PROTOCOL_ERROR, "on a stream"),
    (raw(1, 4, 0, b""), PROTOCOL_ERROR, "on a stream"),
    (raw(2, 0, 0, b"\0\0\0\1\0"), PROTOCOL_ERROR, "on a stream"),
    (raw(3, 0, 0, b"\0\0\0\0"), PROTOCOL_ERROR, "on a stream"),
    (raw(4, 0, 1, b""), PROTOCOL_ERROR, "on a stream"),
    (raw(6, 0, 1, b"12345678"), PROTOCOL_ERROR, "on a stream"),
    (raw(7, 0, 1, b"12345678"), PROTOCOL_ERROR, "on a stream"),
    (raw(16, 0, 1, b"\0\0\0\1"), PROTOCOL_ERROR, "on a stream"),
    (raw(3, 0, 1, b"\0\0\0"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(4, 0, 0, b"\0\0\0"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(4, 1, 0, b"\0\1\0\0\0\0"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(6, 0, 0, b"1234567"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(7, 0, 0, b"1234567"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(8, 0, 1, b"\0\0\0"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(16, 0, 0, b"\0\0\0"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(1, 0x0C, 1, b""), FRAME_SIZE_ERROR, "wrong size"),
    (raw(1, 0x24, 1, b"\0\0\0\1"), FRAME_SIZE_ERROR, "wrong size"),
    (raw(0, 8, 1, b"\1"), PROTOCOL_ERROR, "padding"),
    (raw(0, 8, 1, b""), PROTOCOL_ERROR, "padding"),
    (raw(1, 0x0C, 1, b"\2a"), PROTOCOL_ERROR, "padding"),
    (raw(1, 0x2C, 1, b"\2\0\0\0\0\0a"), PROTOCOL_ERROR, "padding"),
    (raw(8, 0, 0, b"\0\0\0\0"), PROTOCOL_ERROR, "updated by nothing"),
    (raw(16, 0, 0, b"\x80\0\0\0u=1"), PROTOCOL_ERROR, "no stream"),
    (raw(5, 4, 1, b"\0\0\0\2"), PROTOCOL_ERROR, "PUSH_PROMISE"),
    (raw(9, 4, 1, b""), PROTOCOL_ERROR, "continues nothing"),
    (raw(1, 4, 1, b"") + raw(9, 4, 1, b""), PROTOCOL_ERROR, "continues nothing"),
    (raw(1, 0, 1, b"") + raw(0, 0, 1, b""), PROTOCOL_ERROR, "interrupted"),
    (raw(1, 0, 1, b"") + raw(9, 4, 3, b""), PROTOCOL_ERROR, "interrupted"),
    (raw(1, 0, 1, b"") + raw(1, 4, 1, b""), PROTOCOL_ERROR, "interrupted"),
    (raw(1, 0, 1, b"") + raw(0x42, 0, 1, b""), PROTOCOL_ERROR, "interrupted"),
    (raw(1, 0, 1, b"") + raw(9, 0, 1, b"a") * 8 + raw(9, 4, 1, b"a"), ENHANCE_YOUR_CALM, "too many"),
    (raw(1, 0, 1, b"") + raw(9, 0, 1, b""), ENHANCE_YOUR_CALM, "empty"),
    (
        (raw(1, 0, 1, b"a" * 16384) + raw(9, 0, 1, b"a" * 16384) * 3 + raw(9, 4, 1, b"a")),
        ENHANCE_YOUR_CALM,
        "head is larger",
    ),
)


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(("data", "code", "detail"), REFUSED)
def test_what_ends_the_connection(data: bytes, code: int, detail: str, size: int) -> None:
    # spec: W1 W2
    if size == 1 and len(data) > 20000:
        size = 1000
    with pytest.raises(SessionError, match=detail) as error:
        Read(FIRST + data, size)
    assert error.value.code == code


@pytest.mark.parametrize("data", [raw(6, 0, 0, b"12345678"), raw(4, 1, 0, b""), PREFACE[:9], b"GET / HTTP/1.1\r\n"])
def test_the_first_frame_is_settings(data: bytes) -> None:
    # spec: W1
    with pytest.raises(SessionError) as error:
        Read(data, 1 << 20)
    assert error.value.code in (PROTOCOL_ERROR, FRAME_SIZE_ERROR)


def test_the_size_of_a_head_is_bounded_as_it_was_asked() -> None:
    # spec: W2
    assert Read(FIRST + raw(1, 4, 1, b"a" * 10), 5, most_block=10).kinds == [SETTINGS, HEADERS]
    with pytest.raises(SessionError) as error:
        Read(FIRST + raw(1, 4, 1, b"a" * 11), 5, most_block=10)
    assert error.value.code == ENHANCE_YOUR_CALM


def test_an_incomplete_frame_takes_nothing() -> None:
    reader = FrameReader()
    for size in range(len(FIRST)):
        assert (reader.feed(FIRST[:size], 0), reader.used) == (INCOMPLETE, 0)
    assert (reader.feed(FIRST, 0), reader.used) == (SETTINGS, 9)
