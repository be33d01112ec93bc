"""Floods over HTTP/2: each ends its own connection after a bounded number of frames, and hinders nobody.

The numbers are those of `lb/http/frame_budgets`, `lb/http/frames` and the session; what another client notices of such
floods is in `test_hostile_load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import hpack
import pytest

from tests.e2e.harness.client import HOST
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2_raw import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WHOLE,
    WINDOW_UPDATE,
    Fields,
    Frame,
    RawHttp2,
    block,
    frame,
    number,
    setting,
)
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.process import memory
from tests.e2e.harness.scripts import ok

NO_ERROR, STREAM_CLOSED, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 5, 7, 8, 11

GET: Fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", HOST)]
POST: Fields = [(":method", "POST"), *GET[1:]]
HELD: Fields = [*GET[:2], (":path", "/held"), GET[3]]


def script(peer: Peer) -> None:
    """Answers, but not what is held."""
    while True:
        if peer.request().target == b"/held":
            peer.wait_gone()
            return
        peer.send(ok(b"hello"))


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with Instance(script) as running:
        yield running


@pytest.fixture(scope="module")
def door(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    config = configure(
        instance.address, listen={"http": "127.0.0.1:0", "h2c": True}, timeouts={"head": "2s", "read": "2s"}
    )
    with FrontDoor(config, tmp_path_factory.mktemp("door")) as running:
        yield running


@pytest.fixture
def connection(door: FrontDoor) -> Iterator[RawHttp2]:
    with RawHttp2(("127.0.0.1", door.http)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _others_are_served(door: FrontDoor) -> Iterator[None]:
    """Whatever a test does to its connection, the worker lives and another client gets its answer."""
    workers = door.workers
    yield
    with RawHttp2(("127.0.0.1", door.http)) as other:
        other.send(frame(HEADERS, WHOLE, 1, block(GET)))
        assert other.status(other.wait(lambda got: got.kind == HEADERS)) == 200
    assert door.workers == workers


def get(stream: int, fields: Fields = GET, flags: int = WHOLE) -> bytes:
    return frame(HEADERS, flags, stream, block(fields))


def end_of(connection: RawHttp2) -> int:
    """The code that the connection ends with."""
    error = connection.wait(lambda got: got.kind == GOAWAY and not _asks_to_leave(got))
    connection.wait_for_the_end()
    return error.value


# Floods of frames


FLOODS: dict[str, bytes] = {
    "PING": frame(PING, 0, 0, b"12345678") * 150,
    "SETTINGS": frame(SETTINGS, 0, 0) * 150,
    "PRIORITY": frame(PRIORITY, 0, 1, number(3) + b"\0") * 150,
    "PRIORITY_UPDATE": frame(16, 0, 0, number(1) + b"u=1") * 150,
    "WINDOW_UPDATE": frame(WINDOW_UPDATE, 0, 0, number(1)) * 10,
    "changes of all windows": b"".join(frame(SETTINGS, 0, 0, setting(4, size)) for size in range(15)),
    "many settings in one": frame(SETTINGS, 0, 0, setting(3, 1) * 33),
    "unknown frames": frame(0x42, 0, 0) * 2500,
    "GOAWAY": frame(GOAWAY, 0, 0, number(0) * 2) * 600,
    "empty DATA": get(1, POST, END_HEADERS) + frame(DATA, 0, 1) * 11,
    "DATA of padding": get(1, POST, END_HEADERS) + frame(DATA, PADDED, 1, b"\xff" + b"\0" * 255) * 11,
    "DATA dribble": get(1, POST, END_HEADERS) + frame(DATA, PADDED, 1, b"\xfea" + b"\0" * 254) * 4200,
    "CONTINUATION": get(1, flags=0) + frame(CONTINUATION, 0, 1, b"\0\1a\1b") * 9,
    "empty CONTINUATION": get(1, flags=0) + frame(CONTINUATION, 0, 1),
    "CONTINUATION of 64 KiB": get(1, flags=0) + frame(CONTINUATION, 0, 1, b"\0" * 16384) * 4,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_frames_ends_its_connection(connection: RawHttp2, flood: str) -> None:
    # spec: W2; attacks CVE-2019-9511, -9512, -9515, -9516, -9517, -9518, CVE-2024-27316
    connection.send(FLOODS[flood])
    assert end_of(connection) == ENHANCE_YOUR_CALM


def test_a_ping_flood_that_is_not_read_costs_no_memory(connection: RawHttp2, door: FrontDoor) -> None:
    # spec: W2
    before = memory(door.workers[0])
    connection.send(frame(PING, 0, 0, b"12345678") * 100_000)
    assert end_of(connection) == ENHANCE_YOUR_CALM
    assert memory(door.workers[0]) - before < 4 << 20


# Resets


def _asks_to_leave(got: Frame) -> bool:
    return got.kind == GOAWAY and got.value == NO_ERROR


def _reset_over_and_over(connection: RawHttp2, step: Callable[[int], bytes]) -> int:
    """Send what `step` makes of each stream's number until the connection ends; how many streams that took."""
    for count in range(1, 2000):
        connection.send(step(2 * count - 1))
        if count % 20 == 0:
            connection.send(frame(PING, 0, 0, b"%8d" % count))
            if connection.wait(lambda got: got.kind in (PING, GOAWAY) and not _asks_to_leave(got)).kind == GOAWAY:
                assert connection.came[-1].value == ENHANCE_YOUR_CALM
                return count
    raise AssertionError("nobody minds")


def test_a_rapid_reset_ends_its_connection(connection: RawHttp2, instance: Instance) -> None:
    # spec: W2; attack CVE-2023-44487
    before = instance.connections
    streams = _reset_over_and_over(
        connection, lambda stream: get(stream, HELD) + frame(RST_STREAM, 0, stream, number(CANCEL))
    )
    assert 200 <= streams <= 260
    assert instance.connections - before <= 260, "the instance is spared, too"


FAULTS: dict[str, Callable[[int], bytes]] = {
    "no increment": lambda stream: get(stream, HELD) + frame(WINDOW_UPDATE, 0, stream, number(0)),
    "a window too large": lambda stream: get(stream, HELD) + frame(WINDOW_UPDATE, 0, stream, number(2**31 - 1)),
    "PRIORITY of a wrong size": lambda stream: get(stream, HELD) + frame(PRIORITY, 0, stream, b"\0" * 4),
    "a dependency on itself": lambda stream: get(stream, HELD) + frame(PRIORITY, 0, stream, number(stream) + b"\0"),
    "DATA after the end": lambda stream: get(stream, HELD) + frame(DATA, 0, stream, b"x"),
    "HEADERS after the end": lambda stream: get(stream, HELD) + get(stream),
    "a malformed head": lambda stream: get(stream, [*GET[:3], ("A", "b"), GET[3]]),
    "a body that is too long": lambda stream: (
        get(stream, [*POST, ("content-length", "1")], END_HEADERS) + frame(DATA, 0, stream, b"xx")
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_making_us_reset_streams_is_no_way_around_it(connection: RawHttp2, instance: Instance, fault: str) -> None:
    # spec: W2; attack CVE-2025-8671
    before = instance.connections
    assert _reset_over_and_over(connection, FAULTS[fault]) <= 260
    assert instance.connections - before <= 260


def test_streams_over_the_limit_are_refused_and_end_the_connection_at_last(connection: RawHttp2) -> None:
    # spec: W2
    held = b"".join(get(1 + 2 * i, HELD) for i in range(100))
    connection.send(held)
    for i in range(100, 800):
        connection.send(get(1 + 2 * i))
    assert end_of(connection) == ENHANCE_YOUR_CALM
    refused = [got for got in connection.came if got.kind == RST_STREAM]
    assert {got.value for got in refused} == {REFUSED_STREAM}
    assert 500 <= len(refused) <= 600
    assert any(got.kind == GOAWAY and got.value == NO_ERROR for got in connection.came), "it was told to leave before"


# Heads


# The table holds one large entry, 62, and the authority, 63. A request with the large field many times is small.
FILLED = hpack.Encoder().encode([*GET, ("x", "y" * 3900)])
AGAIN = b"\x82\x86\x84\xbf"
LARGE = b"\xbe"


def test_a_small_head_that_is_huge_ends_the_connection(connection: RawHttp2) -> None:
    # spec: W2; HPACK bomb
    connection.send(frame(HEADERS, WHOLE, 1, FILLED))
    connection.wait(lambda got: got.kind == HEADERS)
    connection.send(frame(HEADERS, WHOLE, 3, AGAIN + LARGE * 16000))
    assert end_of(connection) == ENHANCE_YOUR_CALM


def test_a_head_that_is_too_large_is_told_so(connection: RawHttp2) -> None:
    # spec: L1 W1
    for stream, times, status in ((1, 1, 200), (3, 20, 431), (5, 1, 200)):
        connection.send(frame(HEADERS, WHOLE, stream, FILLED if stream == 1 else AGAIN + LARGE * times))
        head = connection.wait(lambda got: got.kind == HEADERS)
        assert (head.stream, connection.status(head)) == (stream, status)


def test_large_heads_of_many_requests_are_held_for_a_few(connection: RawHttp2, door: FrontDoor) -> None:
    # spec: W2; attack CVE-2026-49975: fields of one byte each, on streams whose windows are shut
    before = memory(door.workers[0])
    first = hpack.Encoder().encode([*HELD, ("x", "y" * 3900)])  # three entries: 64 is the path, 63 the authority, 62 x
    connection.send(frame(SETTINGS, 0, 0, setting(4, 0)) + frame(HEADERS, WHOLE, 1, first))
    again = b"\x82\x86\xc0\xbf" + b"\xbe" * 15
    for i in range(1, 100):
        connection.send(frame(HEADERS, WHOLE, 1 + 2 * i, again))
    connection.send(frame(PING, 0, 0, b"all sent"))
    connection.wait(lambda got: got.kind == PING)
    refused = [got.stream for got in connection.came if got.kind == RST_STREAM and got.value == REFUSED_STREAM]
    assert len(refused) == 99 - 17, "one MiB has room for seventeen heads of 59 KB"
    assert memory(door.workers[0]) - before < 12 << 20
    for i in range(100):
        if 1 + 2 * i not in refused:
            connection.send(frame(RST_STREAM, 0, 1 + 2 * i, number(CANCEL)))
    connection.send(frame(HEADERS, WHOLE, 301, block(GET)))
    connection.wait(lambda got: got.kind == HEADERS and got.stream == 301)


# Time


def test_a_head_that_does_not_end_has_its_time(connection: RawHttp2) -> None:
    # spec: L4 W2
    connection.send(frame(HEADERS, END_STREAM, 1, block(GET)))
    connection.wait(lambda got: got.kind == GOAWAY)
    connection.wait_for_the_end()
