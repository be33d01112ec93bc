"""Header blocks for tests: fields of many kinds, encoded by another implementation, and what becomes of broken ones."""

from __future__ import annotations

from typing import Any

import hpack
from hypothesis import strategies as st

from lb.errors import ProxyError
from tests.http.ways import values

Fields = list[tuple[bytes, bytes]]

GET: Fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"), (b":authority", b"app.example")]

_NAMES = st.sampled_from(
    (
        *(b"accept", b"x-a", b"x-b", b"user-agent", b"cookie", b"host", b"te", b"content-length", b"priority"),
        *(b":path", b":method", b":scheme", b":authority", b":status", b":protocol", b":x", b"X-A", b"", b"a b"),
        *(b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"x_forwarded_for"),
    )
)
_VALUES = st.sampled_from(
    (
        *(
            b"",
            b"GET",
            b"CONNECT",
            b"https",
            b"/",
            b"*",
            b"/a?b",
            b"app.example",
            b"other.example",
            b"trailers",
            b"200",
        ),
        *(b"5", b"0", b"05", b" x", b"x\t", b"a\x00", b"a\r\nb: c", b"websocket", b"x" * 300, bytes(range(128, 256))),
    )
)
FIELD = st.tuples(_NAMES, _VALUES) | st.tuples(st.just(b"x-c"), st.binary(max_size=60))
FIELDS = st.lists(FIELD, max_size=12)

MESSAGES = st.builds(lambda first, rest: [*(GET if first else []), *rest], st.booleans(), FIELDS)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Blocks of one connection; the last may be broken."""
    encoder = hpack.Encoder()
    blocks = []
    for fields in draw(st.lists(MESSAGES, min_size=1, max_size=6)):
        size = draw(st.sampled_from((None, None, None, 0, 64, 200, 4096)))
        if size is not None:
            encoder.header_table_size = size
        blocks.append(encoder.encode(fields, huffman=draw(st.booleans())))
    last = bytearray(blocks[-1])
    for at, byte in draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=3)):
        if at < len(last):
            last[at] = byte
    blocks[-1] = bytes(last[: draw(st.integers(len(last) // 2, len(last)))])
    return blocks


def encoded(fields: Fields, *, huffman: bool = True) -> bytes:
    """These fields, as the first block of a connection."""
    return hpack.Encoder().encode(fields, huffman=huffman)


def said(call: Any, *arguments: Any) -> Any:
    """What a call says: its result in plain values, or its refusal."""
    try:
        found = call(*arguments)
    except ProxyError as error:
        return type(error).__name__, error.cause.code, error.detail
    except Exception as error:  # noqa: BLE001 - of either twin, whose classes are two
        return type(error).__name__, getattr(error, "code", None), str(error)
    return found if found is None or isinstance(found, (bytes, int)) else values(found)
