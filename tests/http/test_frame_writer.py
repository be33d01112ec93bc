"""Frames are written as another implementation reads them."""

from __future__ import annotations

import hpack
import pytest
from hyperframe import frame

from lb.http.frame_writer import FrameWriter
from lb.http.frames import FrameReader


def parsed(data: bytes) -> list[frame.Frame]:
    frames = []
    while data:
        found, size = frame.Frame.parse_frame_header(memoryview(data[:9]))
        found.parse_body(memoryview(data[9 : 9 + size]))
        frames.append(found)
        data = data[9 + size :]
    return frames


def test_a_whole_response() -> None:
    # spec: W1
    writer = FrameWriter()
    writer.response(5, b"HTTP/1.1 200 OK\r\nA: b\r\n", b"Date: today\r\n", False)
    writer.data(5, b"the body", False)
    writer.trailers(5, b"Grpc-Status: 0\r\n")
    head, body, end = parsed(writer.take())
    decoder = hpack.Decoder()
    assert isinstance(head, frame.HeadersFrame)
    assert isinstance(body, frame.DataFrame)
    assert isinstance(end, frame.HeadersFrame)
    assert [bytes(value) for _, value in decoder.decode(head.data, raw=True)] == [b"200", b"b", b"today"]
    assert (head.stream_id, set(head.flags)) == (5, {"END_HEADERS"})
    assert (body.data, set(body.flags)) == (b"the body", set())
    assert decoder.decode(end.data, raw=True) == [(b"grpc-status", b"0")]
    assert set(end.flags) == {"END_HEADERS", "END_STREAM"}


def test_the_end_of_a_message() -> None:
    # spec: W1
    writer = FrameWriter()
    writer.response(1, b"HTTP/1.1 204 No Content\r\n", b"", True)
    writer.data(3, b"", True)
    writer.trailers(5, b"")
    head, data, end = parsed(writer.take())
    assert set(head.flags) == {"END_HEADERS", "END_STREAM"}
    assert [set(found.flags) for found in (data, end)] == [{"END_STREAM"}, {"END_STREAM"}]
    assert (end.stream_id, end.body_len) == (5, 0)


def test_the_first_block_alone_says_that_there_is_no_table() -> None:
    # spec: W1
    writer = FrameWriter()
    for _ in range(2):
        writer.response(1, b"HTTP/1.1 200 OK\r\n", b"", True)
    first, second = (found for found in parsed(writer.take()) if isinstance(found, frame.HeadersFrame))
    assert (first.data, second.data) == (b"\x20\x88", b"\x88")


@pytest.mark.parametrize("size", [16300, 16384, 16385, 40000, 70000])
def test_a_large_head_is_continued(size: int) -> None:
    # spec: W1
    writer = FrameWriter()
    writer.response(1, b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * size + b"\r\n", b"Date: today\r\n", True)
    frames = parsed(writer.take())
    assert [type(found) for found in frames[1:]] == [frame.ContinuationFrame] * (len(frames) - 1)
    assert max(found.body_len for found in frames) <= 16384
    assert ["END_HEADERS" in found.flags for found in frames] == [False] * (len(frames) - 1) + [True]
    assert "END_STREAM" in frames[0].flags
    block = b"".join(found.data for found in frames if isinstance(found, (frame.HeadersFrame, frame.ContinuationFrame)))
    fields = hpack.Decoder(max_header_list_size=1 << 20).decode(block, raw=True)
    assert [len(value) for _, value in fields] == [3, size, 5]


def test_a_request() -> None:
    # spec: W3
    writer = FrameWriter()
    writer.request(1, b"GET /a HTTP/1.1\r\nHost: app\r\n", b"http", b"te: trailers\r\n", True)
    [head] = parsed(writer.take())
    assert isinstance(head, frame.HeadersFrame)
    assert [bytes(value) for _, value in hpack.Decoder().decode(head.data, raw=True)] == [
        b"GET",
        b"http",
        b"/a",
        b"app",
        b"trailers",
    ]


def test_frames_of_the_connection() -> None:
    # spec: W1
    writer = FrameWriter()
    writer.settings(((3, 100), (4, 2**31 - 1)))
    writer.settings_ack()
    writer.ping(b"12345678", False)
    writer.ping(b"abcdefgh", True)
    writer.goaway(7, 11, b"why")
    writer.reset(9, 8)
    writer.window_update(0, 65536)
    settings, ack, ping, pong, goaway, reset, update = parsed(writer.take())
    assert isinstance(settings, frame.SettingsFrame)
    assert isinstance(ping, frame.PingFrame)
    assert isinstance(pong, frame.PingFrame)
    assert isinstance(goaway, frame.GoAwayFrame)
    assert isinstance(reset, frame.RstStreamFrame)
    assert isinstance(update, frame.WindowUpdateFrame)
    assert settings.settings == {3: 100, 4: 2**31 - 1}
    assert set(ack.flags) == {"ACK"}
    assert (ping.opaque_data, set(ping.flags)) == (b"12345678", set())
    assert (pong.opaque_data, set(pong.flags)) == (b"abcdefgh", {"ACK"})
    assert (goaway.last_stream_id, goaway.error_code, goaway.additional_data) == (7, 11, b"why")
    assert (reset.stream_id, reset.error_code) == (9, 8)
    assert (update.stream_id, update.window_increment) == (0, 65536)


def test_payload_may_follow_from_elsewhere() -> None:
    # spec: F3
    writer = FrameWriter()
    writer.data_head(3, 5, True)
    assert writer.pending == 9
    [data] = parsed(writer.take() + b"hello")
    assert isinstance(data, frame.DataFrame)
    assert (data.data, set(data.flags)) == (b"hello", {"END_STREAM"})


def test_what_was_taken_is_gone() -> None:
    writer = FrameWriter()
    assert writer.take() == b""
    writer.data(1, b"a" * 16384, False)
    assert writer.pending == 16393
    assert len(writer.take()) == 16393
    assert (writer.pending, writer.take()) == (0, b"")


def test_what_no_frame_can_hold_is_refused() -> None:
    writer = FrameWriter()
    with pytest.raises(ValueError, match="too large"):
        writer.data(1, b"a" * 16385, False)
    with pytest.raises(ValueError, match="too large"):
        writer.data_head(1, 16385, False)
    with pytest.raises(ValueError, match="eight bytes"):
        writer.ping(b"1", True)
    assert writer.pending == 0


def test_the_reader_reads_what_the_writer_writes() -> None:
    # spec: W1
    writer = FrameWriter()
    writer.settings(((3, 100),))
    writer.response(1, b"HTTP/1.1 200 OK\r\nA: " + b"a" * 20000 + b"\r\n", b"", False)
    writer.data(1, b"body", True)
    data = writer.take()
    reader = FrameReader()
    kinds = []
    at = 0
    while reader.feed(data, at) >= 0:
        kinds.append((reader.kind, reader.stream, reader.end_stream))
        at += reader.used
    assert kinds == [(4, 0, False), (1, 1, False), (0, 1, True)]
    assert at == len(data)
