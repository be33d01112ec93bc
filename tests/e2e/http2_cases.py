"""What RFC 9113 and RFC 7541 say that a server does with each frame: a table of what is sent and what has to come.

The cases are those that the conformance suite h2spec looks at, by the sections that it counts them under, with our own
bytes and with stricter answers: an error of a stream leaves its connection alive, an error of the connection is told by
GOAWAY before it is closed. A case is a list of bytes to be sent and of `Wait`s in between, and one expectation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.harness.client import HOST
from tests.e2e.harness.http2_raw import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WHOLE,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Fields,
    Frame,
    block,
    frame,
    number,
    setting,
)

PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR = 1, 3, 5, 6
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 7, 8, 9

MOST_STREAMS = 100


@dataclass(frozen=True, slots=True)
class Wait:
    """For a frame that this is true of."""

    what: str
    condition: Callable[[Frame], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with this status on the stream."""

    stream: int = 1
    status: int = 200


@dataclass(frozen=True, slots=True)
class Pong:
    """An answer to a PING that is sent at the end, or that was sent: the connection is alive."""

    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class StreamError:
    """RST_STREAM with this code; the connection lives on."""

    code: int
    stream: int = 1


@dataclass(frozen=True, slots=True)
class GoAway:
    """GOAWAY with this code, and the end of the connection."""

    code: int


@dataclass(frozen=True, slots=True)
class Data:
    """A DATA frame with a payload of this size."""

    size: int


Expected = Answer | Pong | StreamError | GoAway | Data


@dataclass(frozen=True, slots=True)
class Case:
    section: str
    name: str
    steps: tuple[bytes | Wait, ...]
    expected: Expected

    def __str__(self) -> str:
        return f"{self.section} {self.name}"


# Bytes

GET: Fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", HOST)]
POST: Fields = [(":method", "POST"), *GET[1:]]
DUMMY = block([("x-dummy", "x" * 4000)])
PINGED = b"are you?"


def head(fields: Fields, flags: int = WHOLE, stream: int = 1, more: bytes = b"") -> bytes:
    return frame(HEADERS, flags, stream, block(fields) + more)


get = head(GET)
post = head(POST, END_HEADERS)
open_post = head(POST, 0)
open_get = head(GET, END_STREAM)


def data(payload: bytes = b"test", flags: int = END_STREAM, stream: int = 1) -> bytes:
    return frame(DATA, flags, stream, payload)


def more(flags: int = END_HEADERS, stream: int = 1, payload: bytes = DUMMY) -> bytes:
    return frame(CONTINUATION, flags, stream, payload)


def priority(stream: int = 1, on: int = 0, weight: int = 255) -> bytes:
    return frame(PRIORITY, 0, stream, number(on) + bytes((weight,)))


def reset(stream: int = 1, code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, 0, stream, number(code))


def update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, number(increment))


def settings(*entries: bytes) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(entries))


def window(size: int) -> bytes:
    return settings(setting(4, size))


ACKED = Wait("SETTINGS acknowledged", lambda got: got.kind == SETTINGS and got.flags & ACK != 0)
ENDED = Wait("the response", lambda got: got.ends and got.stream == 1)
SOME = Wait("some data", lambda got: got.kind == DATA)
unknown = frame(0x16, 0, 0, b"\0" * 8)


def literal(hexadecimal: str) -> bytes:
    """A request with this field representation at its end."""
    return head(GET, more=bytes.fromhex(hexadecimal))


def without(name: str, fields: Fields = GET) -> Fields:
    return [field for field in fields if field[0] != name]


def malformed(section: str, name: str, fields: Fields) -> Case:
    return Case(section, name, (head(fields),), StreamError(PROTOCOL_ERROR))


ACCEPTED: tuple[Case, ...] = (
    Case("generic/1", "a preface", (), Pong()),
    Case("generic/2", "PRIORITY on an idle stream", (priority(),), Pong()),
    Case("generic/2", "WINDOW_UPDATE on a half-closed stream", (window(0), get, update(1, 1)), Data(1)),
    Case("generic/2", "PRIORITY on a half-closed stream", (window(0), get, priority(), update(1, 1)), Data(1)),
    Case("generic/2", "RST_STREAM on a half-closed stream", (get, reset()), Pong()),
    Case("generic/2", "PRIORITY on a closed stream", (get, ENDED, priority()), Pong()),
    Case("generic/3.1", "DATA", (post, data()), Answer()),
    Case("generic/3.1", "DATA twice", (post, data(flags=0), data()), Answer()),
    Case("generic/3.1", "DATA with padding", (post, data(b"\5test\0\0\0\0\0", END_STREAM | PADDED)), Answer()),
    Case("generic/3.2", "HEADERS", (get,), Answer()),
    Case(
        "generic/3.2",
        "HEADERS with padding",
        (frame(HEADERS, WHOLE | PADDED, 1, b"\x08" + block(GET) + b"\0" * 8),),
        Answer(),
    ),
    Case(
        "generic/3.2",
        "HEADERS with priority",
        (frame(HEADERS, WHOLE | WITH_PRIORITY, 1, number(0) + b"\xff" + block(GET)),),
        Answer(),
    ),
    Case("generic/3.3", "PRIORITY of weight 1", (priority(weight=0), get), Answer()),
    Case("generic/3.3", "PRIORITY of weight 256", (priority(weight=255), get), Answer()),
    Case("generic/3.3", "PRIORITY with a dependency", (priority(3, on=1), get), Answer()),
    Case("generic/3.3", "PRIORITY with an exclusive one", (priority(1, on=1 << 31), get), Answer()),
    Case("generic/3.3", "PRIORITY of a later stream", (priority(3), get), Answer()),
    Case("generic/3.4", "RST_STREAM", (head(GET, END_HEADERS), reset()), Pong()),
    Case(
        "generic/3.5",
        "SETTINGS",
        (
            settings(
                *(
                    setting(1, 4096),
                    setting(2, 1),
                    setting(3, 100),
                    setting(4, 65535),
                    setting(5, 16384),
                    setting(6, 100),
                )
            ),
            ACKED,
        ),
        Pong(),
    ),
    Case("generic/3.7", "PING", (frame(PING, 0, 0, b"h2 tests"),), Pong(b"h2 tests")),
    Case("generic/3.8", "GOAWAY", (frame(GOAWAY, 0, 0, number(0) + number(0) + b"debug"), get), Answer()),
    Case("generic/3.9", "WINDOW_UPDATE of the connection", (update(0, 1),), Pong()),
    Case("generic/3.9", "WINDOW_UPDATE of a stream", (get, update(1, 1)), Answer()),
    Case(
        "generic/3.10",
        "CONTINUATION",
        (frame(HEADERS, END_STREAM, 1, block(GET)[:5]), more(payload=block(GET)[5:])),
        Answer(),
    ),
    Case(
        "generic/3.10",
        "CONTINUATION twice",
        (
            frame(HEADERS, END_STREAM, 1, block(GET)[:5]),
            more(0, payload=block(GET)[5:10]),
            more(payload=block(GET)[10:]),
        ),
        Answer(),
    ),
    Case("generic/4", "GET", (get,), Answer()),
    Case("generic/4", "HEAD", (head([(":method", "HEAD"), *GET[1:]]),), Answer()),
    Case("generic/4", "POST", (post, data()), Answer()),
    Case(
        "generic/4",
        "POST with trailers",
        (head([*POST, ("trailer", "x-test")], END_HEADERS), data(flags=0), head([("x-test", "ok")])),
        Answer(),
    ),
    # RFC 7541 section 6: each representation, plain and in the Huffman code; user-agent is 58, new names are x-test
    Case("generic/5", "indexed", (literal("ba"),), Answer()),
    Case("generic/5", "indexed name, to be kept", (literal("7a 04 74657374"),), Answer()),
    Case("generic/5", "indexed name, to be kept, coded", (literal("7a 83 49509f"),), Answer()),
    Case("generic/5", "new name, to be kept", (literal("40 06 782d74657374 04 74657374"),), Answer()),
    Case("generic/5", "new name, to be kept, coded", (literal("40 85 f2b24a84ff 83 49509f"),), Answer()),
    Case("generic/5", "indexed name, not to be kept", (literal("0f2b 04 74657374"),), Answer()),
    Case("generic/5", "indexed name, not to be kept, coded", (literal("0f2b 83 49509f"),), Answer()),
    Case("generic/5", "new name, not to be kept", (literal("00 06 782d74657374 04 74657374"),), Answer()),
    Case("generic/5", "new name, not to be kept, coded", (literal("00 85 f2b24a84ff 83 49509f"),), Answer()),
    Case("generic/5", "indexed name, never to be kept", (literal("1f2b 04 74657374"),), Answer()),
    Case("generic/5", "indexed name, never to be kept, coded", (literal("1f2b 83 49509f"),), Answer()),
    Case("generic/5", "new name, never to be kept", (literal("10 06 782d74657374 04 74657374"),), Answer()),
    Case("generic/5", "new name, never to be kept, coded", (literal("10 85 f2b24a84ff 83 49509f"),), Answer()),
    Case("generic/5", "a table of another size", (frame(HEADERS, WHOLE, 1, b"\x2a" + block(GET)),), Answer()),
    Case("generic/5", "a table of two sizes", (frame(HEADERS, WHOLE, 1, b"\x2a\x2b" + block(GET)),), Answer()),
    Case("http2/4.1", "an unknown frame", (unknown,), Pong()),
    Case("http2/4.1", "unknown flags", (frame(PING, 0x16, 0, b"h2 flags"),), Pong(b"h2 flags")),
    Case("http2/4.1", "the reserved bit", (frame(PING, 0x16, 1 << 31, b"reserved"),), Pong(b"reserved")),
    Case("http2/4.2", "DATA of 16,384 bytes", (post, data(b"x" * 16384)), Answer()),
    Case("http2/5.5", "an unknown frame of an extension", (unknown, get), Answer()),
    Case("http2/6.5.2", "an unknown setting", (settings(setting(0xFF, 1)), ACKED), Pong()),
    Case("http2/6.5.3", "a setting twice in a frame", (settings(setting(4, 100), setting(4, 1)), ACKED, get), Data(1)),
    Case("http2/6.5.3", "SETTINGS are acknowledged", (settings(), ACKED), Pong()),
    Case("http2/6.7", "PING", (frame(PING, 0, 0, PINGED[::-1]),), Pong(PINGED[::-1])),
    Case("http2/6.7", "PING with ACK", (frame(PING, ACK, 0, b"not mine"),), Pong()),
    Case("http2/6.9.1", "a window of one byte", (window(1), ACKED, get), Data(1)),
    Case("http2/6.9.2", "a window that grows later", (window(0), ACKED, get, window(1)), Data(1)),
    Case("http2/6.9.2", "a window below zero", (window(3), ACKED, get, SOME, window(2), ACKED, update(1, 2)), Data(1)),
    Case("http2/6.10", "CONTINUATION after HEADERS", (open_get, more(0), more()), Answer()),
    Case("http2/7", "GOAWAY with an unknown code", (frame(GOAWAY, 0, 0, number(0) + number(0xFF)),), Pong()),
    Case("http2/7", "RST_STREAM with an unknown code", (post, reset(code=0xFF)), Pong()),
)

STREAM_ERRORS: tuple[Case, ...] = (
    Case("http2/5.1", "half closed: DATA", (get, data()), StreamError(STREAM_CLOSED)),
    Case("http2/5.1", "half closed: HEADERS", (window(0), get, get), StreamError(STREAM_CLOSED)),
    Case(
        "http2/5.1.2",
        "more streams than allowed",
        (window(0), *(head(GET, stream=1 + 2 * i) for i in range(MOST_STREAMS + 1))),
        StreamError(REFUSED_STREAM, 1 + 2 * MOST_STREAMS),
    ),
    Case(
        "http2/5.3.1",
        "HEADERS that depend on themselves",
        (frame(HEADERS, WHOLE | WITH_PRIORITY, 1, number(1) + b"\xff" + block(GET)),),
        StreamError(PROTOCOL_ERROR),
    ),
    Case("http2/6.1", "DATA where none may come", (head(POST), data()), StreamError(STREAM_CLOSED)),
    Case("http2/6.9", "a stream's increment of 0", (post, update(1, 0)), StreamError(PROTOCOL_ERROR)),
    Case(
        "http2/6.9.1",
        "a stream's window of more than 2^31-1",
        (post, update(1, 2**31 - 1), update(1, 2**31 - 1)),
        StreamError(FLOW_CONTROL_ERROR),
    ),
    Case("http2/8.1", "a second head without END_STREAM", (post, data(flags=0), post), StreamError(PROTOCOL_ERROR)),
    malformed("http2/8.1.2", "a name in upper case", [*GET, ("X-TEST", "ok")]),
    malformed("http2/8.1.2.1", "an unknown pseudo-field", [*GET, (":test", "ok")]),
    malformed("http2/8.1.2.1", "a pseudo-field of responses", [*GET, (":status", "200")]),
    Case(
        "http2/8.1.2.1",
        "a pseudo-field in trailers",
        (post, data(flags=0), head([(":method", "POST")])),
        StreamError(PROTOCOL_ERROR),
    ),
    malformed("http2/8.1.2.1", "a pseudo-field after a field", [("x-test", "ok"), *GET]),
    malformed("http2/8.1.2.2", "a field of one connection", [*GET, ("connection", "keep-alive")]),
    malformed("http2/8.1.2.2", "TE that is not trailers", [*GET, ("te", "trailers, deflate")]),
    malformed("http2/8.1.2.3", "an empty :path", [*GET[:2], (":path", ""), GET[3]]),
    malformed("http2/8.1.2.3", "no :method", without(":method")),
    malformed("http2/8.1.2.3", "no :scheme", without(":scheme")),
    malformed("http2/8.1.2.3", "no :path", without(":path")),
    malformed("http2/8.1.2.3", ":method twice", [*GET, GET[0]]),
    malformed("http2/8.1.2.3", ":scheme twice", [*GET, GET[1]]),
    malformed("http2/8.1.2.3", ":path twice", [*GET, GET[2]]),
    Case(
        "http2/8.1.2.6",
        "a body of another length",
        (head([*POST, ("content-length", "1")], END_HEADERS), data()),
        StreamError(PROTOCOL_ERROR),
    ),
    Case(
        "http2/8.1.2.6",
        "a body in pieces of another length",
        (head([*POST, ("content-length", "1")], END_HEADERS), data(flags=0), data()),
        StreamError(PROTOCOL_ERROR),
    ),
)


def ends(section: str, name: str, code: int, *steps: bytes | Wait) -> Case:
    return Case(section, name, steps, GoAway(code))


CONNECTION_ERRORS: tuple[Case, ...] = (
    ends("http2/4.2", "HEADERS of more than 16,384 bytes", FRAME_SIZE_ERROR, head([*GET, ("x", "y" * 30000)])),
    ends("http2/4.2", "DATA of more than 16,384 bytes", FRAME_SIZE_ERROR, post, data(b"x" * 16385)),
    ends("http2/4.3", "a broken block", COMPRESSION_ERROR, frame(HEADERS, WHOLE, 1, b"\x40")),
    ends("http2/4.3", "PRIORITY within a head", PROTOCOL_ERROR, head(GET, 0), priority(), more()),
    ends("http2/4.3", "HEADERS within a head", PROTOCOL_ERROR, head(GET, 0), head(GET, stream=3), more()),
    ends("http2/5.1", "idle: DATA", PROTOCOL_ERROR, data()),
    ends("http2/5.1", "idle: RST_STREAM", PROTOCOL_ERROR, reset()),
    ends("http2/5.1", "idle: WINDOW_UPDATE", PROTOCOL_ERROR, update(1, 100)),
    ends("http2/5.1", "idle: CONTINUATION", PROTOCOL_ERROR, more()),
    ends("http2/5.1", "half closed: CONTINUATION", PROTOCOL_ERROR, get, more()),
    ends("http2/5.1", "reset: CONTINUATION", PROTOCOL_ERROR, post, reset(), more()),
    ends("http2/5.1", "closed: HEADERS", STREAM_CLOSED, get, ENDED, get),
    ends("http2/5.1", "closed: CONTINUATION", PROTOCOL_ERROR, get, ENDED, more()),
    ends("http2/5.1.1", "an even number", PROTOCOL_ERROR, head(GET, stream=2)),
    ends("http2/5.4.1", "PING on a stream", PROTOCOL_ERROR, frame(PING, 0, 3, b"\0" * 8)),
    ends("http2/5.5", "an unknown frame within a head", PROTOCOL_ERROR, open_get, unknown),
    ends("http2/6.1", "DATA on stream 0", PROTOCOL_ERROR, data(stream=0)),
    ends("http2/6.1", "DATA with too much padding", PROTOCOL_ERROR, post, data(b"\6test", END_STREAM | PADDED)),
    ends("http2/6.2", "HEADERS and PRIORITY", PROTOCOL_ERROR, head(GET, 0), priority()),
    ends("http2/6.2", "HEADERS on two streams", PROTOCOL_ERROR, head(GET, 0), head(GET, stream=3)),
    ends("http2/6.2", "HEADERS on stream 0", PROTOCOL_ERROR, head(GET, stream=0)),
    ends(
        "http2/6.2",
        "HEADERS with too much padding",
        PROTOCOL_ERROR,
        frame(HEADERS, WHOLE | PADDED, 1, bytes((len(block(GET)) + 2,)) + block(GET)),
    ),
    ends("http2/6.3", "PRIORITY on stream 0", PROTOCOL_ERROR, priority(0)),
    ends("http2/6.4", "RST_STREAM on stream 0", PROTOCOL_ERROR, reset(0)),
    ends("http2/6.4", "RST_STREAM on an idle stream", PROTOCOL_ERROR, reset()),
    ends("http2/6.4", "RST_STREAM of three bytes", FRAME_SIZE_ERROR, post, frame(RST_STREAM, 0, 1, b"\0\0\0")),
    ends("http2/6.5", "ACK with a payload", FRAME_SIZE_ERROR, frame(SETTINGS, ACK, 0, b"\0")),
    ends("http2/6.5", "SETTINGS on a stream", PROTOCOL_ERROR, frame(SETTINGS, 0, 1, setting(3, 100))),
    ends("http2/6.5", "SETTINGS of three bytes", FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, b"\0\3\0")),
    ends("http2/6.5.2", "ENABLE_PUSH of 2", PROTOCOL_ERROR, settings(setting(2, 2))),
    ends("http2/6.5.2", "INITIAL_WINDOW_SIZE of 2^31", FLOW_CONTROL_ERROR, window(2**31)),
    ends("http2/6.5.2", "MAX_FRAME_SIZE of 16,383", PROTOCOL_ERROR, settings(setting(5, 16383))),
    ends("http2/6.5.2", "MAX_FRAME_SIZE of 2^24", PROTOCOL_ERROR, settings(setting(5, 2**24))),
    ends("http2/6.7", "PING on a stream", PROTOCOL_ERROR, frame(PING, 0, 1, b"\0" * 8)),
    ends("http2/6.7", "PING of six bytes", FRAME_SIZE_ERROR, frame(PING, 0, 0, b"\0" * 6)),
    ends("http2/6.8", "GOAWAY on a stream", PROTOCOL_ERROR, frame(GOAWAY, 0, 1, b"\0" * 8)),
    ends("http2/6.9", "the connection's increment of 0", PROTOCOL_ERROR, update(0, 0)),
    ends("http2/6.9", "WINDOW_UPDATE of three bytes", FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")),
    ends(
        "http2/6.9.1",
        "the connection's window of more than 2^31-1",
        FLOW_CONTROL_ERROR,
        update(0, 2**31 - 1),
        update(0, 2**31 - 1),
    ),
    ends("http2/6.9.2", "INITIAL_WINDOW_SIZE of 2^31 later", FLOW_CONTROL_ERROR, get, ENDED, window(2**31)),
    ends("http2/6.10", "CONTINUATION and DATA", PROTOCOL_ERROR, open_post, more(0), data()),
    ends("http2/6.10", "CONTINUATION on stream 0", PROTOCOL_ERROR, open_get, more(stream=0)),
    ends("http2/6.10", "CONTINUATION after a whole HEADERS", PROTOCOL_ERROR, get, more()),
    ends("http2/6.10", "CONTINUATION after the last one", PROTOCOL_ERROR, open_get, more(), more()),
    ends("http2/6.10", "CONTINUATION after DATA", PROTOCOL_ERROR, open_post, data(), more(0), more(stream=0)),
    ends("http2/8.2", "PUSH_PROMISE", PROTOCOL_ERROR, frame(PUSH_PROMISE, END_HEADERS, 1, number(3) + block(GET))),
    ends("hpack/2.3.3", "an index beyond the table", COMPRESSION_ERROR, literal("c6")),
    ends("hpack/2.3.3", "the index of a name beyond it", COMPRESSION_ERROR, literal("0f70 04 74657374")),
    ends("hpack/4.2", "a size at the end of a block", COMPRESSION_ERROR, literal("20")),
    ends("hpack/5.2", "padding of more than seven bits", COMPRESSION_ERROR, literal("00 85 f2b24a84ff 84 49509fff")),
    ends("hpack/5.2", "padding of zeros", COMPRESSION_ERROR, literal("00 85 f2b24a84ff 83 495090")),
    ends("hpack/5.2", "a string with EOS", COMPRESSION_ERROR, literal("00 85 f2b24a84ff 87 4951fffffffa7f")),
    ends("hpack/6.1", "index 0", COMPRESSION_ERROR, literal("80")),
    ends(
        "hpack/6.3", "a table of 4,097 bytes", COMPRESSION_ERROR, frame(HEADERS, WHOLE, 1, b"\x3f\xe2\x1f" + block(GET))
    ),
)


@dataclass(frozen=True, slots=True)
class Either:
    """An error with this code, of the stream or of the connection: RFC 9113 leaves it open."""

    code: int


LEFT_OPEN: tuple[tuple[str, str, tuple[bytes | Wait, ...], Either], ...] = (
    ("http2/5.1", "reset: DATA", (post, reset(), data()), Either(STREAM_CLOSED)),
    ("http2/5.1", "reset: HEADERS", (post, reset(), get), Either(STREAM_CLOSED)),
    ("http2/5.1", "closed: DATA", (get, ENDED, data()), Either(STREAM_CLOSED)),
    ("http2/5.1.1", "a number below the last", (head(GET, stream=5), head(GET, stream=3)), Either(STREAM_CLOSED)),
    ("http2/5.3.1", "PRIORITY that depends on itself", (priority(on=1),), Either(PROTOCOL_ERROR)),
    ("http2/6.3", "PRIORITY of four bytes", (post, frame(PRIORITY, 0, 1, b"\0\0\0\0")), Either(FRAME_SIZE_ERROR)),
)
