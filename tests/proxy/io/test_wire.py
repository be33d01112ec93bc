"""What every Wire keeps to, on either engine: a Wire at one end of a socket pair, a plain socket at the other."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from lb.http.body import CHUNKED, LENGTH, Body
from lb.http.head import Limits
from lb.proxy.io.wire import Wire
from lb.routing.instance import pack_address
from tests.proxy.io.wires import PATIENCE, Bench, Noting, bench, read, read_all, turns

LIMITS = Limits()
HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
BLOCK = bytes(range(256)) * 4096


@pytest.fixture
async def on() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


# Reading


async def test_nothing_is_told_before_bytes_come(on: Bench) -> None:
    wire, peer = on.pair()
    await turns()
    assert (wire.events, wire.have, wire.closed) == ([], 0, False)
    wire.abort()
    peer.close()


async def test_heads_and_bodies_are_taken_in_turn(on: Bench) -> None:
    wire, peer = on.pair()
    peer.send(HEAD + b"hello" + HEAD + b"he")
    await wire.wait_for("received")
    assert wire.have == 2 * len(HEAD) + 7
    head = wire.scan_request(LIMITS)
    assert head is not None
    assert (head.method, head.body_length) == (b"POST", 5)
    body = Body(LENGTH, 5, -1, LIMITS)
    assert wire.read_body(body) == wire.ready == 5
    assert wire.take_ready() == b"hello"
    assert (wire.ready, wire.have, body.done) == (0, len(HEAD) + 2, True)
    assert wire.scan_request(LIMITS) is not None
    assert wire.take(2) == b"he"
    assert wire.have == 0
    wire.abort()
    peer.close()


async def test_what_is_left_stays_until_more_comes(on: Bench) -> None:
    heads = []
    scanned = asyncio.Event()

    def scan(wire: Noting) -> None:
        heads.append(wire.scan_request(LIMITS))
        scanned.set()

    wire, peer = on.pair(received=scan)
    for at in range(len(HEAD)):
        scanned.clear()
        peer.send(HEAD[at : at + 1])
        await asyncio.wait_for(scanned.wait(), PATIENCE)
    assert heads[:-1] == [None] * (len(HEAD) - 1)
    assert heads[-1] is not None
    assert heads[-1].length == len(HEAD)
    assert wire.have == 0
    wire.abort()
    peer.close()


async def test_a_head_in_pieces_with_the_next_behind_it(on: Bench) -> None:
    wire, peer = on.pair()
    found = []

    def scan(wire: Noting) -> None:
        while wire.have:
            head = wire.scan_request(LIMITS)
            if head is None:
                break
            found.append(head.target)

    wire.on["received"] = scan
    stream = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(50))
    for at in range(0, len(stream), 37):
        peer.send(stream[at : at + 37])
        await turns()
    await wire.wait_for(lambda: len(found) == 50)
    assert found == [b"/%d" % n for n in range(50)]
    wire.abort()
    peer.close()


async def test_two_connections_do_not_see_each_others_bytes(on: Bench) -> None:
    one, first = on.pair()
    two, second = on.pair()
    first.send(b"one")
    second.send(b"two, and more")
    await one.wait_for("received")
    await two.wait_for("received")
    first.send(b"ONE")
    await one.wait_for(lambda: one.have == 6)
    assert one.take(6) == b"oneONE"
    assert two.take(two.have) == b"two, and more"
    for wire in (one, two):
        wire.abort()
    first.close()
    second.close()


async def test_chunks_become_payload_in_place(on: Bench) -> None:
    wire, peer = on.pair()
    peer.send(b"X3\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\nGET")
    await wire.wait_for("received")
    wire.drop(1)
    body = Body(CHUNKED, 0, -1, LIMITS)
    assert wire.read_body(body) == 5
    assert wire.take_ready() == b"abcde"
    assert (body.done, body.trailers, wire.take(wire.have)) == (True, b"A: b\r\n", b"GET")
    wire.abort()
    peer.close()


async def test_a_paused_wire_reads_nothing_and_then_everything(on: Bench) -> None:
    # spec: F3
    wire, peer = on.pair(received=lambda wire: wire.pause())
    peer.send(b"one")
    await wire.wait_for("received")
    peer.send(b"two")
    peer.shutdown(socket.SHUT_WR)
    await turns(10)
    assert (wire.events, wire.have, wire.paused) == (["received"], 3, True)
    wire.on.clear()
    wire.resume()
    assert wire.have == 3, "resuming reads nothing at once"
    await wire.wait_for("ended")
    assert wire.events == ["received", "received", "ended"]
    assert wire.take(6) == b"onetwo"
    wire.abort()
    peer.close()


async def test_again_tells_of_unread_bytes_in_the_next_round(on: Bench) -> None:
    wire, peer = on.pair()
    peer.send(b"abc")
    await wire.wait_for("received")
    wire.again()
    wire.again()
    assert wire.events == ["received"]
    await turns()
    assert wire.events == ["received", "received"]
    wire.drop(3)
    wire.again()
    await turns()
    assert wire.events == ["received", "received"], "there is nothing to tell of"
    wire.abort()
    peer.close()


async def test_the_end_is_told_once_and_after_the_last_bytes(on: Bench) -> None:
    wire, peer = on.pair()
    peer.send(b"last")
    peer.shutdown(socket.SHUT_WR)
    await wire.wait_for("ended")
    await turns()
    assert wire.events == ["received", "ended"]
    assert not wire.closed
    wire.send(b"still answered")
    assert await read(peer, 14) == b"still answered"
    wire.close()
    assert wire.events == ["received", "ended", "lost"]
    peer.close()


async def test_a_reset_is_a_loss(on: Bench) -> None:
    wire, peer = on.pair(socket.AF_INET)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    await wire.wait_for("lost")
    assert wire.events == ["lost"]
    assert wire.closed


async def _bytes_and_a_reset() -> None:
    async with bench() as on:
        wire, peer = on.pair(socket.AF_INET)
        await turns()
        peer.send(b"GET / HT")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        await wire.wait_for("lost")
        assert wire.events in (["received", "lost"], ["lost"])


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_reset_right_behind_bytes_is_a_loss(loops: Callable[[], asyncio.AbstractEventLoop]) -> None:
    # libuv reports a socket's first error and then nothing more, so the bytes must not be all that is seen.
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(_bytes_and_a_reset())


# Writing


async def test_sending_goes_at_once(on: Bench) -> None:
    wire, peer = on.pair()
    wire.send(b"hello")
    assert peer.recv(10) == b"hello"
    assert (wire.backlog(), wire.full) == (0, False)
    wire.abort()
    peer.close()


async def test_what_the_socket_does_not_take_waits_in_order(on: Bench) -> None:
    # spec: F3
    wire, peer = on.pair()
    sent = 0
    while not wire.full:
        wire.send(BLOCK[:100_000])
        sent += 100_000
    assert wire.backlog() > 65536
    wire.send(b"end")
    assert wire.events == []
    data = await read(peer, sent + 3)
    assert data == BLOCK[:100_000] * (sent // 100_000) + b"end"
    await wire.wait_for(lambda: not wire.backlog())
    assert "drained" in wire.events
    assert not wire.full
    wire.abort()
    peer.close()


@pytest.mark.parametrize("size", [5, 100_000, 200_000])
@pytest.mark.parametrize(("prefix", "suffix"), [(b"<", b">"), (None, None), (b"<", None), (None, b">"), (b"", b"")])
async def test_send_with_keeps_the_order(on: Bench, size: int, prefix: bytes | None, suffix: bytes | None) -> None:
    source, feeder = on.pair()
    target, peer = on.pair()
    expected = b""

    def relay(wire: Noting) -> None:
        nonlocal expected
        expected += prefix or b""
        wire.read_raw()
        target.send_with(prefix, wire, suffix)
        expected += suffix or b""
        assert wire.ready == wire.have == 0

    source.on["received"] = relay
    loop = asyncio.get_running_loop()
    writing = asyncio.ensure_future(loop.sock_sendall(feeder, BLOCK[:size]))
    marks = 0
    data = b""
    while len(data) < size + marks:
        data += await read(peer, 1)
        data += await read(peer, min(4096, size + len(expected) - len(data)))
        marks = len(expected)
    await writing
    data += await read(peer, size + len(expected) - len(data))
    marker = (prefix or b"") + (suffix or b"")
    assert len(data) == size + len(expected)
    assert data.startswith(prefix or b"")
    assert data.endswith(suffix or b"")
    if not marker:
        assert data == BLOCK[:size]
    for wire in (source, target):
        wire.abort()
    feeder.close()
    peer.close()


async def test_send_with_behind_a_backlog(on: Bench) -> None:
    source, feeder = on.pair()
    target, peer = on.pair()
    before = 0
    while not target.backlog():
        target.send(BLOCK[:50_000])
        before += 50_000
    feeder.send(b"payload")
    await source.wait_for("received")
    assert source.read_raw() == 7
    target.send_with(b"<", source, b">")
    assert (await read(peer, before + 9))[before:] == b"<payload>"
    for wire in (source, target):
        wire.abort()
    feeder.close()
    peer.close()


async def test_a_failed_write_is_told_later_and_once(on: Bench) -> None:
    wire, peer = on.pair(received=lambda wire: wire.pause())
    peer.send(b"x")
    await wire.wait_for("received")
    peer.close()
    for _ in range(3):
        wire.send(b"into the void")
    assert wire.events == ["received"], "whoever writes is in the middle of something"
    await wire.wait_for("lost")
    await turns()
    assert wire.events == ["received", "lost"]
    assert (wire.closed, wire.backlog()) == (True, 0)


async def test_a_handler_that_raises_costs_its_own_connection_only(on: Bench) -> None:
    def fail(_wire: Noting) -> None:
        raise ZeroDivisionError

    wire, peer = on.pair(received=fail)
    other, friend = on.pair()
    peer.send(b"x")
    friend.send(b"y")
    await wire.wait_for("lost")
    await other.wait_for("received")
    assert [type(error) for error in on.errors] == [ZeroDivisionError]
    on.errors.clear()
    other.abort()
    peer.close()
    friend.close()


# Ending


async def test_close_waits_for_the_backlog(on: Bench) -> None:
    wire, peer = on.pair()
    sent = 0
    while not wire.backlog():
        wire.send(BLOCK[:100_000])
        sent += 100_000
    wire.close()
    assert wire.events == []
    assert len(await read_all(peer)) == sent
    await wire.wait_for("lost")
    assert wire.events.count("lost") == 1
    peer.close()


async def test_abort_does_not_wait(on: Bench) -> None:
    wire, peer = on.pair()
    while not wire.backlog():
        wire.send(BLOCK[:100_000])
    wire.abort()
    assert wire.events == ["lost"]
    assert (wire.closed, wire.backlog(), wire.have) == (True, 0, 0)
    for end in (wire.abort, wire.close, wire.close_lingering):
        end()
    wire.send(b"x")
    await turns()
    assert wire.events == ["lost"]
    peer.close()


async def test_lingering_lets_the_last_reply_arrive(on: Bench) -> None:
    # ReadBuffer bytes would turn the close into a reset, and the reset would take the reply away from the peer.
    wire, peer = on.pair(socket.AF_INET, received=lambda wire: wire.pause())
    peer.send(b"x" * 10)
    await wire.wait_for("received")
    peer.send(b"y" * 100_000)
    wire.send(b"413, and bye")
    wire.close_lingering()
    assert await read_all(peer) == b"413, and bye"
    assert (wire.events, wire.closed) == (["received"], False)
    peer.send(b"z" * 1000)
    wire.send(b"too late")
    await turns()
    assert wire.events == ["received"]
    peer.close()
    await wire.wait_for("lost")
    assert wire.events == ["received", "lost"]


async def test_lingering_after_the_peers_end_just_closes(on: Bench) -> None:
    wire, peer = on.pair()
    peer.shutdown(socket.SHUT_WR)
    await wire.wait_for("ended")
    wire.close_lingering()
    assert wire.events == ["ended", "lost"]
    assert await read_all(peer) == b""
    peer.close()


async def test_lingering_can_be_aborted(on: Bench) -> None:
    wire, peer = on.pair()
    wire.close_lingering()
    assert not wire.closed
    wire.abort()
    assert wire.events == ["lost"]
    peer.close()


async def test_closing_within_a_handler(on: Bench) -> None:
    wire, peer = on.pair(received=lambda wire: wire.close())
    peer.send(b"x")
    await wire.wait_for("lost")
    await turns()
    assert wire.events == ["received", "lost"]
    assert await read_all(peer) == b""
    peer.close()


async def test_the_half_close_of_a_tunnel(on: Bench) -> None:
    wire, peer = on.pair()
    wire.send(b"bye")
    wire.end()
    assert await read_all(peer) == b"bye"
    peer.send(b"answer")
    await wire.wait_for("received")
    assert wire.take(wire.have) == b"answer"
    wire.abort()
    peer.close()


# Connecting


def _connect(on: Bench, address: tuple[str, int] | str, family: int = socket.AF_INET) -> tuple[Noting, int]:
    wire = Noting()
    return wire, wire.connect(on.poller, family, address, pack_address(family, address))


async def test_connecting(on: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire, error = _connect(on, server.getsockname())
        assert error in (0, errno.EINPROGRESS)
        if error:
            await wire.wait_for("connected")
        wire.send(b"hello")
        with server.accept()[0] as peer:
            assert peer.recv(10) == b"hello"
            peer.send(b"answer")
            await wire.wait_for("received")
            assert wire.take(6) == b"answer"
            assert not wire.is_stale()
            wire.close()
            assert peer.recv(10) == b""
    assert wire.events[-1] == "lost"


async def test_connecting_to_a_path(on: Bench, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        wire, error = _connect(on, path, socket.AF_UNIX)
        assert error == 0, "a Unix socket connects at once"
        wire.send(b"hello")
        with server.accept()[0] as peer:
            assert peer.recv(10) == b"hello"
        await wire.wait_for("ended")
        wire.abort()


async def test_a_refused_connection(on: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    wire, error = _connect(on, address)
    if error == errno.EINPROGRESS:
        await wire.wait_for("connect_failed ECONNREFUSED")
        assert wire.events == ["connect_failed ECONNREFUSED"]
    else:
        assert error == errno.ECONNREFUSED
    assert wire.closed
    wire.abort()
    await turns()
    assert "lost" not in wire.events


async def test_a_path_that_is_not_there(on: Bench, tmp_path: Path) -> None:
    wire, error = _connect(on, str(tmp_path / "none"), socket.AF_UNIX)
    assert (error, wire.closed, wire.events) == (errno.ENOENT, True, [])


async def test_aborting_while_connecting(on: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire, _error = _connect(on, server.getsockname())
        wire.abort()
        assert wire.events == ["lost"]
        await turns()
        assert wire.events == ["lost"]


# Staleness: what is known about an idle connection before its event has come


async def test_an_idle_connection_is_fresh(on: Bench) -> None:
    # spec: F2
    wire, peer = on.pair()
    await turns()
    assert not wire.is_stale()
    wire.abort()
    assert wire.is_stale()
    peer.close()


@pytest.mark.parametrize("said", [b"", b"x"])
async def test_a_connection_that_ended_or_said_something_is_stale(on: Bench, said: bytes) -> None:
    # spec: F2
    wire, peer = on.pair()
    await turns()
    if said:
        peer.send(said)
    else:
        peer.close()
    assert wire.is_stale()
    assert wire.events == [], "before its event"
    wire.abort()
    peer.close()


def test_derived_classes_do_not_hide_slots() -> None:
    for base in Wire.__mro__[:-1]:
        for derived in (Noting,):
            names = set(getattr(base, "__slots__", ()))
            assert base is derived or not names & set(derived.__slots__)


def test_none_does_not_end_the_process() -> None:
    # A compiled method is given memory that is none unless it looks.
    nothing: Any = None
    wire = Noting()
    for method, arguments in (
        (wire.send, (nothing,)),
        (wire.send_with, (None, nothing, None)),
        (wire.scan_request, (nothing,)),
        (wire.scan_response, (nothing,)),
        (wire.read_body, (nothing,)),
    ):
        with contextlib.suppress(TypeError, AttributeError):
            method(*arguments)


# spec: F4
async def test_an_instance_that_is_gone_without_a_word_is_asked_after(on: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        wire = Noting()
        wire.connect(on.poller, socket.AF_INET, address, pack_address(socket.AF_INET, address))
        accepted, ours = server.accept()
        with accepted, _descriptor_of(ours) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            assert [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [45, 15, 3]
        wire.abort()


def _descriptor_of(address: tuple[str, int]) -> socket.socket:
    """Another descriptor of the socket of this process that is bound to this address."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a descriptor that is gone meanwhile is no path
        with contextlib.suppress(OSError):
            sock = socket.socket(fileno=os.dup(int(name)))
            if sock.family == socket.AF_INET and sock.getsockname() == address:
                return sock
            sock.close()
    raise AssertionError(f"no socket is bound to {address}")
