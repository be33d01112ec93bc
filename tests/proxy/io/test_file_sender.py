"""What every FileSender keeps to, on either engine: a file goes out whole, in order, by pieces that its peer takes."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lb.tls.files.self_signed import ensure_certificate
from lb.tls.handshake.contexts import Contexts
from tests.proxy.io.test_wire_tls import Peer
from tests.proxy.io.wires import Bench, Noting, bench, connected, read, turns

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
MUCH = os.urandom(1 << 16) * 160  # 10 MiB


@pytest.fixture
async def on() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts([ensure_certificate(tmp_path_factory.mktemp("certificates"), ["localhost"])])


@dataclass
class Sent:
    """A file that is sent whenever there is room; `told` is what each call said."""

    fd: int
    size: int
    at: int = 0
    head: bytes = HEAD

    def __post_init__(self) -> None:
        self.told: list[int] = []

    def go_on(self, wire: Noting) -> None:
        """Send what goes of the rest."""
        if self.at == self.size:
            return
        n = wire.send_file(self.head, self.fd, self.at, self.size - self.at)
        self.head = b""
        self.told.append(n)
        self.at += max(n, 0)


@pytest.fixture
def much(tmp_path: Path) -> Iterator[Sent]:
    path = tmp_path / "much"
    path.write_bytes(MUCH)
    fd = os.open(path, os.O_RDONLY)
    yield Sent(fd, len(MUCH))
    os.close(fd)


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
async def test_head_and_file_arrive_in_order(on: Bench, much: Sent, family: int) -> None:
    wire, peer = on.pair(family, drained=much.go_on)
    much.go_on(wire)
    assert much.told[0] < much.size
    assert wire.backlog() > 0
    assert await read(peer, len(HEAD) + len(MUCH)) == HEAD + MUCH
    await wire.wait_for(lambda: much.at == much.size)
    assert wire.backlog() == 0
    wire.abort()
    peer.close()


async def test_a_peer_that_reads_nothing_costs_no_memory(on: Bench, much: Sent) -> None:
    # spec: F3
    wire, peer = on.pair(drained=much.go_on)
    much.go_on(wire)
    calls = len(much.told)
    await turns(20)
    assert wire.backlog() == 1
    assert len(much.told) <= calls + 2, "it is asked again only when there is room"
    assert much.at < 4 << 20
    wire.abort()
    peer.close()


async def test_a_file_waits_for_what_was_sent_before(on: Bench, much: Sent) -> None:
    wire, peer = on.pair(drained=much.go_on)
    before = b"x" * (4 << 20)
    wire.send(before)
    much.go_on(wire)
    assert much.told == [0]
    assert await read(peer, len(before) + len(HEAD) + len(MUCH)) == before + HEAD + MUCH
    wire.abort()
    peer.close()


async def test_a_part_of_a_file(on: Bench, much: Sent) -> None:
    wire, peer = on.pair()
    assert wire.send_file(HEAD, much.fd, 12345, 678) == 678
    assert wire.backlog() == 0
    assert await read(peer, len(HEAD) + 678) == HEAD + MUCH[12345 : 12345 + 678]
    wire.abort()
    peer.close()


@pytest.mark.parametrize("secure", [False, True])
async def test_a_file_that_has_become_shorter_is_told_of(
    on: Bench, much: Sent, contexts: Contexts, tmp_path: Path, secure: bool
) -> None:
    wire, peer = await _secured(on, contexts) if secure else on.pair()
    os.truncate(tmp_path / "much", 1000)
    assert wire.send_file(HEAD, much.fd, 0, 5000) == 1000
    await wire.wait_for("drained")  # by itself: else nobody would ask again
    assert wire.send_file(b"", much.fd, 1000, 4000) == -1
    assert wire.send_file(b"", much.fd, 5000, 1) == -1
    wire.abort()
    (peer.sock if isinstance(peer, Peer) else peer).close()


async def test_what_the_system_cannot_move_is_read(on: Bench) -> None:
    wire, peer = on.pair()
    fd = os.open("/proc/self/auxv", os.O_RDONLY)  # readable, and no sendfile
    with pytest.raises(OSError, match="Invalid argument"):
        os.sendfile(peer.fileno(), fd, 0, 8)
    whole = os.pread(fd, 64, 0)
    assert wire.send_file(HEAD, fd, 0, 64) == 64
    assert await read(peer, len(HEAD) + 64) == HEAD + whole
    os.close(fd)
    wire.abort()
    peer.close()


async def test_what_is_no_file_is_told_of(on: Bench) -> None:
    wire, peer = on.pair()
    fd = os.open("/", os.O_RDONLY)
    assert wire.send_file(HEAD, fd, 0, 8) == -1
    os.close(fd)
    wire.abort()
    peer.close()


async def test_a_peer_that_is_gone_ends_it(on: Bench, much: Sent) -> None:
    wire, peer = on.pair(drained=much.go_on)
    much.go_on(wire)
    peer.close()
    await wire.wait_for("lost")
    assert wire.send_file(b"", much.fd, 0, 10) == 0
    assert wire.events.count("lost") == 1


async def test_one_that_is_closed_in_the_middle_ends_after_what_has_gone(on: Bench, much: Sent) -> None:
    wire, peer = on.pair()
    much.go_on(wire)
    wire.close()
    assert wire.events == ["lost"]
    got = await read(peer, 1 << 30)
    assert got == (HEAD + MUCH)[: len(HEAD) + much.at]
    peer.close()


async def test_over_tls_it_arrives_whole_and_waits_in_modest_pieces(on: Bench, much: Sent, contexts: Contexts) -> None:
    # spec: F3
    wire, peer = await _secured(on, contexts)
    wire.on["drained"] = much.go_on
    much.go_on(wire)
    await turns(20)
    assert wire.backlog() <= 128 << 10
    assert await peer.read(len(HEAD) + len(MUCH)) == HEAD + MUCH
    await wire.wait_for(lambda: much.at == much.size)
    wire.abort()
    peer.sock.close()


async def test_who_gives_way_is_told_in_the_next_round(on: Bench) -> None:
    wire, peer = on.pair()
    wire.give_way()
    assert "drained" not in wire.events
    await wire.wait_for("drained")
    assert wire.backlog() == 0
    wire.abort()
    peer.close()


async def _secured(on: Bench, contexts: Contexts) -> tuple[Noting, Peer]:
    ours, theirs = connected()
    wire, peer = on.wire(ours), Peer(theirs)
    wire.start_tls(contexts)
    await peer.shake_hands()
    await wire.wait_for("handshaken")
    return wire, peer
