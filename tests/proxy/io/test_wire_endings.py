"""How a Wire ends when its peer is slow, or gone in the middle of a sentence; on either engine."""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest

from lb.routing.instance import pack_address
from tests.proxy.io.wires import PATIENCE, Bench, Noting, bench, read, read_all, turns

BLOCK = b"x" * 100_000
ABORTIVE = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


@pytest.fixture
async def on() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


def _fill(wire: Noting) -> int:
    sent = 0
    while not wire.full:
        wire.send(BLOCK)
        sent += len(BLOCK)
    for _ in range(8):  # more than the socket takes at once
        wire.send(BLOCK)
    return sent + 8 * len(BLOCK)


@pytest.mark.parametrize("lingering", [False, True])
async def test_a_reader_that_takes_the_rest_is_seen_to_take_it(on: Bench, lingering: bool) -> None:
    # spec: L4: the holder of the deadline has to know that the end still moves
    wire, peer = on.pair()
    sent = _fill(wire)
    if lingering:
        wire.close_lingering()
    else:
        wire.close()
    await read(peer, sent - 1)
    await wire.wait_for(lambda: not wire.backlog())
    assert "drained" in wire.events
    assert ("lost" in wire.events) is not lingering
    assert len(await read_all(peer)) == 1
    peer.close()
    await wire.wait_for("lost")
    assert wire.events[-1] == "lost"


async def _outward(on: Bench) -> tuple[Noting, socket.socket]:
    wire = Noting()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        error = wire.connect(on.poller, socket.AF_INET, address, pack_address(socket.AF_INET, address))
        peer = server.accept()[0]
    if error == errno.EINPROGRESS:
        await wire.wait_for("connected")
        wire.events.clear()
    return wire, peer


async def test_what_came_before_a_failed_write_is_told_first(on: Bench) -> None:
    # spec: F4: an instance that answers early and closes is heard, whatever became of the rest of the request
    wire, peer = await _outward(on)
    peer.send(b"413")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
    peer.close()
    for _ in range(3):
        wire.send(b"the rest of the request")
    assert wire.events == []
    await wire.wait_for("lost")
    assert wire.events == ["received", "lost"]


async def test_a_failed_write_with_nothing_said_is_a_loss(on: Bench) -> None:
    wire, peer = await _outward(on)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
    peer.close()
    for _ in range(3):
        wire.send(b"the rest of the request")
    await wire.wait_for("lost")
    assert wire.events == ["lost"]


async def test_a_paused_wire_hears_the_last_words_when_it_listens_again(on: Bench) -> None:
    wire, peer = await _outward(on)
    wire.pause()
    peer.send(b"413")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
    peer.close()
    for _ in range(3):
        wire.send(b"the rest of the request")
    wire.resume()
    await wire.wait_for("lost")
    assert wire.events == ["received", "lost"]


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
@pytest.mark.parametrize("backlog", [False, True])
async def test_one_side_ends_and_the_other_goes_on(on: Bench, family: socket.AddressFamily, backlog: bool) -> None:
    # spec: F4: what was sent before arrives, then the end; what the peer says behind it is still heard
    wire, peer = on.pair(family)
    sent = _fill(wire) if backlog else 0
    wire.end()
    wire.end()
    assert len(await read_all(peer)) == sent
    assert not wire.closed
    peer.send(b"still here")
    await wire.wait_for("received")
    assert wire.take(wire.have) == b"still here"
    peer.shutdown(socket.SHUT_WR)
    await wire.wait_for("ended")
    wire.close()
    assert wire.events[-1] == "lost"
    peer.close()


async def test_a_peer_that_shut_its_side_still_reads(on: Bench) -> None:
    # spec: F4
    wire, peer = on.pair(socket.AF_INET)
    peer.shutdown(socket.SHUT_WR)
    await wire.wait_for("ended")
    sent = _fill(wire)
    wire.close()
    assert len(await read_all(peer)) == sent
    peer.close()


@pytest.mark.parametrize("side", ["client", "instance"])
async def test_a_peer_that_shut_its_side_and_breaks_off_later_is_told(on: Bench, side: str) -> None:
    # spec: F3: nothing is read from it any more, and nothing may be written for long
    wire, peer = on.pair(socket.AF_INET) if side == "client" else await _outward(on)
    peer.shutdown(socket.SHUT_WR)
    await wire.wait_for("ended")
    assert not wire.closed
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
    peer.close()
    await wire.wait_for("lost")
    assert wire.events == ["ended", "lost"]


async def test_pausing_does_not_forget_a_peer_that_shut_its_side(on: Bench) -> None:
    # spec: F3
    wire, peer = on.pair(socket.AF_INET)
    peer.shutdown(socket.SHUT_WR)
    await wire.wait_for("ended")
    wire.pause()
    wire.resume()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
    peer.close()
    await wire.wait_for("lost")


async def test_a_reset_is_no_orderly_end(on: Bench) -> None:
    # spec: F5
    wire, peer = on.pair(socket.AF_INET)
    wire.send(b"half")
    assert await read(peer, 4) == b"half"
    wire.reset()
    assert wire.events == ["lost"]
    with pytest.raises(ConnectionResetError):
        await read(peer, 1)
    peer.close()


async def test_what_comes_after_the_last_word_is_noted(on: Bench) -> None:
    # spec: L4: the holder of the deadline has to know that the peer is still sending
    wire, peer = on.pair(socket.AF_INET)
    wire.close_lingering()
    assert wire.heard == 0.0
    peer.send(b"the rest of an upload")
    deadline = time.monotonic() + PATIENCE
    while not wire.heard:
        assert time.monotonic() < deadline
        await turns()
    assert "received" not in wire.events
    wire.abort()
    peer.close()
