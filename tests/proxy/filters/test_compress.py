from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.proxy.filters import compress
from lb.proxy.filters.compress import AVAILABLE, compress_whole, has_room, new_encoder

try:
    from compression import zstd
except ImportError:
    from backports import zstd

ALL = pytest.mark.parametrize("coding", [b"zstd", b"br", b"gzip"])


class Decoder(Protocol):
    """A decoder that is not the encoder's own library where there is another one."""

    eof: bool

    def decode(self, data: bytes) -> bytes: ...


class GzipDecoder:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(31)

    def decode(self, data: bytes) -> bytes:
        return self._stream.decompress(data)

    @property
    def eof(self) -> bool:
        return self._stream.eof and not self._stream.unused_data


class ZstdDecoder:
    def __init__(self) -> None:
        self._stream: Any = zstd.ZstdDecompressor()

    def decode(self, data: bytes) -> bytes:
        # A second frame would raise EOFError or stay in unused_data.
        return bytes(self._stream.decompress(data)) if data else b""

    @property
    def eof(self) -> bool:
        return bool(self._stream.eof and not self._stream.unused_data)


class BrotliDecoder:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def decode(self, data: bytes) -> bytes:
        # One call may hold back what it has decoded (32,760 zeros in two pieces do it): ask until nothing comes.
        decoded = bytes(self._stream.process(data))
        while not self._stream.is_finished() and (more := bytes(self._stream.process(b""))):
            decoded += more
        return decoded

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())


DECODERS: dict[bytes, Callable[[], Any]] = {b"gzip": GzipDecoder, b"zstd": ZstdDecoder, b"br": BrotliDecoder}

# Small and large pieces, repetitive and not, beyond every library's block size; None is a flush.
_pieces = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.binary(min_size=1, max_size=50), st.integers(1, 6000)).map(lambda pair: pair[0] * pair[1]),
    st.tuples(st.integers(0, 1 << 32), st.integers(0, 200_000)).map(lambda pair: Random(pair[0]).randbytes(pair[1])),
)


def test_all_codings_are_available_here() -> None:
    assert AVAILABLE == (b"zstd", b"br", b"gzip")


# spec: C1, C3
@ALL
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.one_of(st.none(), _pieces), max_size=12))
def test_a_stream_round_trips_and_each_flush_shows_all_so_far(coding: bytes, steps: list[bytes | None]) -> None:
    encoder, decoder = new_encoder(coding), DECODERS[coding]()
    sent, seen = bytearray(), bytearray()
    for step in steps:
        if step is None:
            seen += decoder.decode(encoder.flush())
            assert seen == sent
        else:
            sent += step
            seen += decoder.decode(encoder.compress(step))
        assert not decoder.eof
    seen += decoder.decode(encoder.finish())
    assert seen == sent
    assert decoder.eof


# spec: C1
@ALL
@settings(max_examples=40, deadline=None)
@given(data=_pieces)
def test_a_whole_body_round_trips(coding: bytes, data: bytes) -> None:
    decoder = DECODERS[coding]()
    assert decoder.decode(compress_whole(coding, data)) == data
    assert decoder.eof


# spec: C1
@ALL
def test_it_does_compress(coding: bytes) -> None:
    data = b"<li>the same again and again</li>\n" * 1000
    assert len(compress_whole(coding, data)) < len(data) / 20
    encoder = new_encoder(coding)
    assert len(encoder.compress(data) + encoder.finish()) < len(data) / 20


# spec: C3
@ALL
def test_two_streams_at_once_do_not_mix(coding: bytes) -> None:
    encoders = new_encoder(coding), new_encoder(coding)
    streams = [bytearray(), bytearray()]
    for piece in (b"one", b"two", b"three"):
        for place, encoder in enumerate(encoders):
            streams[place] += encoder.compress(piece * (place + 1)) + encoder.flush()
    for place, encoder in enumerate(encoders):
        streams[place] += encoder.finish()
        expected = b"".join(piece * (place + 1) for piece in (b"one", b"two", b"three"))
        assert DECODERS[coding]().decode(bytes(streams[place])) == expected


# spec: F3
def test_a_zstd_stream_asks_little_memory_of_either_side() -> None:
    encoder = new_encoder(b"zstd")
    limited: Any = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 17})
    data = bytes(range(256)) * 8192
    assert limited.decompress(encoder.compress(data) + encoder.finish()) == data


# spec: C1
def test_gzip_falls_back_to_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_deflate", zlib)
    encoder = new_encoder(b"gzip")
    stream = encoder.compress(b"some ") + encoder.flush()
    assert zlib.decompressobj(31).decompress(stream) == b"some "
    assert gzip.decompress(stream + encoder.compress(b"text") + encoder.finish()) == b"some text"
    assert gzip.decompress(compress_whole(b"gzip", b"some text")) == b"some text"


def test_an_unknown_coding_is_an_error() -> None:
    with pytest.raises(KeyError):
        new_encoder(b"deflate")
    with pytest.raises(KeyError):
        compress_whole(b"identity", b"")


# spec: L5
@pytest.mark.parametrize("coding", AVAILABLE)
def test_encoders_are_counted_while_they_live(coding: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_MOST", compress._Counted.live + 2)
    encoders = [new_encoder(coding)]
    assert has_room()
    encoders.append(new_encoder(coding))
    assert not has_room()
    del encoders[0]
    assert has_room()
