"""The compiled modules of HTTP/2 and their uncompiled twins say the same of whatever comes."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lb.http.frame_writer
import lb.http.frames
import lb.http.hpack
import lb.http.hpack_encoder
from lb.http.head import Limits
from lb.http.hpack_tables import STATIC
from tests.http.h2_blocks import conversations, said
from tests.http.twins import import_sources, is_compiled, need_compiled

source_hpack, source_encoder, source_frames, source_writer = import_sources(
    "lb.http.hpack", "lb.http.hpack_encoder", "lb.http.frames", "lb.http.frame_writer"
)

many = settings(max_examples=int(os.environ.get("LB_FUZZ_EXAMPLES", "600")), deadline=None)


@pytest.fixture(autouse=True)
def _compiled() -> None:
    for module in (lb.http.hpack, lb.http.hpack_encoder, lb.http.frames, lb.http.frame_writer):
        need_compiled(module)


def test_the_twins_are_two() -> None:
    assert not any(map(is_compiled, (source_hpack, source_encoder, source_frames, source_writer)))
    assert source_frames is not lb.http.frames


_LIMITS = st.sampled_from(((8192, 65536, 1000), (50, 600, 10), (8192, 300, 1000)))
_CALLS = st.sampled_from(("request", "request_text", "response", "trailers", "discard"))
_ABOUT = ("scheme", "protocol", "priority", "te_trailers")


@many
@given(conversations(), st.lists(_CALLS, min_size=6, max_size=6), _LIMITS, st.booleans())
def test_blocks(blocks: list[bytes], calls: list[str], bounds: tuple[int, int, int], ended: bool) -> None:
    # spec: W1 L1
    decoders = (lb.http.hpack.HpackDecoder(), source_hpack.HpackDecoder())
    limits = (Limits(*bounds), source_hpack.Limits(*bounds))
    for block, call in zip(blocks, calls, strict=False):
        more = (ended,) if call.startswith("request") else ()
        results = []
        for decoder, limit in zip(decoders, limits, strict=True):
            result = said(getattr(decoder, call), block, limit, *more)
            refused = isinstance(result, tuple)
            text = decoder.text() if refused and result[0] != "SessionError" and call != "response" else b""
            results.append((result, text, [getattr(decoder, name) for name in _ABOUT]))
        assert results[0] == results[1]
        if isinstance(results[0][0], tuple) and results[0][0][0] == "SessionError":
            return


_PAYLOAD = st.binary(max_size=12) | st.sampled_from((b"\0\0\0\1\0", b"\0\0\0\5", b"\0\0\0\0", b"12345678", b"\2abcdef"))
_FRAME = st.tuples(
    st.integers(0, 10) | st.sampled_from((16, 200)),
    st.sampled_from((0, 1, 4, 5, 8, 9, 12, 13, 32, 36, 45)),
    st.sampled_from((0, 1, 1, 3, 2**31 + 1)),
    _PAYLOAD,
)


@many
@given(
    st.lists(
        _FRAME | st.sampled_from(((1, 0, 1, b"a"), (9, 0, 1, b"b"), (9, 4, 1, b"c"), (0, 9, 1, b"\1ab"))), max_size=12
    ),
    st.lists(st.integers(1, 30), max_size=30),
    st.sampled_from((65536, 8)),
)
def test_frames(frames: list[tuple[int, int, int, bytes]], cuts: list[int], most: int) -> None:
    # spec: W1
    data = b"\0\0\0\4\0\0\0\0\0"
    for kind, flags, stream, payload in frames:
        data += len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    readers = (lb.http.frames.FrameReader(most), source_frames.FrameReader(most))
    names = [name for name in dir(readers[1]) if not name.startswith("_") and name != "feed"]
    have = b""
    for cut in (*cuts, len(data)):
        have, data = have + data[:cut], data[cut:]
        while True:
            kinds = [said(reader.feed, bytearray(b"x" + have), 1) for reader in readers]
            assert kinds[0] == kinds[1]
            if isinstance(kinds[0], tuple):
                return
            assert [getattr(readers[0], name) for name in names] == [getattr(readers[1], name) for name in names]
            have = have[readers[0].used :]
            if kinds[0] < 0:
                break


_NAME = st.sampled_from([name for name, _ in STATIC if name[:1] != b":"] + [b"x-a", b"te", b"upgrade", b"connection"])
_LINE = st.builds(
    lambda name, form, value: form % (name, value),
    _NAME | _NAME.map(bytes.title) | st.from_regex(rb"\A[A-Za-z-]{1,140}\Z"),
    st.sampled_from((b"%s:%s\r\n", b"%s: %s\r\n", b"%s:\t %s \r\n")),
    st.sampled_from((b"", b"a", b"a: b", b"\xff\xfe", b"v" * 127, b"v" * 40000)),
)
_LINES = st.lists(_LINE, max_size=8).map(b"".join)


def _wrote(writer: Any, status: int, lines: bytes, numbers: list[int]) -> list[Any]:
    for number in numbers:
        ended = number % 2 == 0
        writer.response(number, b"HTTP/1.1 %d \r\n" % status + lines, b"Date: x\r\n", ended)
        writer.request(number, b"GET /a HTTP/1.1\r\n" + lines, b"http", b"te: trailers\r\n", ended)
        writer.trailers(number, lines)
        writer.data(number, lines[:16384], ended)
        writer.data_head(number, number % 16385, ended)
        writer.settings(((number % 65536, number), (4, 0xFFFFFFFF)))
        writer.settings_ack()
        writer.ping(b"12345678", ended)
        writer.goaway(number, number % 14, lines[:20])
        writer.reset(number, number % 14)
        writer.window_update(number, number)
    return [writer.pending, writer.take(), writer.pending]


@many
@given(st.sampled_from((200, 404, 103, 599)), _LINES, st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3))
def test_written_frames(status: int, lines: bytes, numbers: list[int]) -> None:
    # spec: W1
    assert _wrote(lb.http.frame_writer.FrameWriter(), status, lines, numbers) == _wrote(
        source_writer.FrameWriter(), status, lines, numbers
    )
    assert lb.http.hpack_encoder.encode_fields(lines) == source_encoder.encode_fields(lines)
