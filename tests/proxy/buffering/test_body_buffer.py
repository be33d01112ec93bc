"""One collected body: in memory, in a file, on its way to an instance, and gone without a trace."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import cast

import pytest

from lb.errors import ProxyError
from lb.proxy.buffering.body_buffer import BodyBuffer
from lb.proxy.upstream.connection import Upstream
from lb.routing.buffered_bytes import BufferedBytes
from tests.proxy.buffering.made import made_with
from tests.proxy.exchange.fakes import FakeDisk, FakeUpstream, Stage, staged

KIB = 1024
LIMIT = 1 << 30


class Kept:
    """A buffer, its disk and what it told."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.disk = FakeDisk()
        self.on_disk = BufferedBytes()
        self.all = made_with(self.disk, self.on_disk)
        self.told: list[int] = []
        self.buffer = BodyBuffer(self.all, limit, "client", self.told.append)

    def taken(self) -> tuple[int, int]:
        """What it takes of memory and of the disk."""
        return self.all.in_memory, self.on_disk.total()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def connection(stage: Stage, *, chunked: bool = False) -> FakeUpstream:
    upstream = FakeUpstream(stage.engine, stage.environment.instances[0])
    upstream.begin(b"HEAD", chunked)
    return upstream


def sent(upstream: FakeUpstream) -> Upstream:
    return cast("Upstream", upstream)


# spec: F6
def test_64_kib_stay_in_memory_and_go_at_once() -> None:
    kept = Kept()
    assert kept.buffer.add(b"a" * 64 * KIB)
    assert kept.disk.waiting == []
    assert kept.taken() == (64 * KIB, 0)
    with staged() as stage:
        upstream = connection(stage)
        assert kept.buffer.send(sent(upstream))
        assert upstream.sent == b"HEAD" + b"a" * 64 * KIB
    kept.buffer.close()
    assert kept.taken() == (0, 0)


# spec: F6
def test_more_goes_to_a_file_while_more_comes() -> None:
    kept = Kept()
    assert kept.buffer.add(b"a" * 100 * KIB)  # is written
    assert kept.buffer.is_writing
    assert kept.buffer.add(b"b" * 64 * KIB)
    assert not kept.buffer.add(b"c")  # the disk does not keep up: nothing more, please
    assert len(kept.disk.waiting) == 1
    kept.disk.turn()
    assert kept.told == [0]
    assert kept.taken() == (64 * KIB + 1, 100 * KIB)
    kept.buffer.go_on()
    kept.disk.turn()
    assert kept.buffer.add(b"d")
    assert kept.buffer.size == 164 * KIB + 2
    assert kept.taken() == (1, 164 * KIB + 1)
    with staged() as stage:
        for _ in range(2):  # to one instance and, when that has failed, to another
            upstream = connection(stage)
            kept.buffer.rewind()
            assert kept.buffer.send(sent(upstream))
            assert upstream.sent == b"HEAD" + b"a" * 100 * KIB + b"b" * 64 * KIB + b"cd"
    kept.buffer.close()
    assert kept.taken() == (0, 0)


# spec: F6, F3
def test_an_instance_takes_it_as_it_can() -> None:
    kept = Kept()
    kept.buffer.add(b"a" * 100 * KIB)
    kept.disk.turn()
    kept.buffer.add(b"end")
    with staged() as stage:
        upstream = connection(stage)
        upstream.takes_files = 60 * KIB
        assert not kept.buffer.send(sent(upstream))
        assert not kept.buffer.is_sent()
        assert len(upstream.sent) == 60 * KIB + 4
        assert kept.buffer.send(sent(upstream))
        assert kept.buffer.is_sent()
        assert upstream.sent == b"HEAD" + b"a" * 100 * KIB + b"end"
    kept.buffer.close()


# spec: F6
def test_the_first_part_of_a_body_goes_in_chunks() -> None:
    kept = Kept()
    kept.buffer.add(b"a" * 100 * KIB)
    kept.disk.turn()
    kept.buffer.add(b"end")
    with staged() as stage:
        upstream = connection(stage, chunked=True)
        assert kept.buffer.send_first(sent(upstream))
        chunks = b"10000\r\n%b\r\n9000\r\n%b\r\n3\r\nend\r\n" % (b"a" * 64 * KIB, b"a" * 36 * KIB)
        assert upstream.sent == b"HEAD" + chunks
    kept.buffer.close()


# spec: F3
def test_others_have_their_turn_while_a_large_first_part_goes() -> None:
    kept = Kept()
    for _ in range(9):
        kept.buffer.add(b"a" * 256 * KIB)
        kept.disk.turn()
    turns = []
    with staged() as stage:
        upstream = connection(stage, chunked=True)
        upstream.give_way = lambda: turns.append(len(upstream.sent))  # type: ignore[method-assign]
        assert not kept.buffer.send_first(sent(upstream))
        assert len(turns) == 1
        upstream.full = True
        assert not kept.buffer.send_first(sent(upstream))
        assert turns == [len(upstream.sent)]  # it is told when there is room again
        upstream.full = False
        assert not kept.buffer.send_first(sent(upstream))
        assert kept.buffer.send_first(sent(upstream))
        assert len(turns) == 2
        assert upstream.sent.count(b"a") == 9 * 256 * KIB
    kept.buffer.close()


def test_of_a_body_without_a_byte_nothing_goes() -> None:
    kept = Kept()
    with staged() as stage:
        upstream = connection(stage)
        assert kept.buffer.send(sent(upstream))
        assert kept.buffer.send_first(sent(upstream))
        assert upstream.sent == b""
    kept.buffer.close()


# spec: F6
def test_the_limit_of_the_disk_is_told_before_anything_is_written() -> None:
    kept = Kept(limit=100 * KIB)
    kept.buffer.add(b"a" * 100 * KIB)
    kept.disk.turn()
    with pytest.raises(ProxyError) as caught:
        kept.buffer.add(b"a" * 65 * KIB)
    assert caught.value.cause.code == "buffer_limit_reached"
    assert kept.disk.waiting == []
    kept.buffer.close()
    assert kept.taken() == (0, 0)


# spec: F6
def test_in_a_crowd_every_byte_goes_to_disk_at_once() -> None:
    kept = Kept()
    kept.all.hold(64 << 20)
    assert kept.buffer.add(b"a")
    assert kept.buffer.is_writing
    assert not kept.buffer.add(b"b")
    kept.disk.turn()
    kept.buffer.close()


# spec: F6
def test_one_that_is_given_up_during_a_write_is_cleared_after_it() -> None:
    kept = Kept()
    kept.buffer.add(b"a" * 100 * KIB)
    kept.buffer.add(b"b")
    kept.buffer.close()
    assert kept.taken() == (100 * KIB, 100 * KIB)
    descriptors = open_files()
    kept.disk.turn()
    assert kept.told == []
    assert kept.taken() == (0, 0)
    assert open_files() == descriptors


# spec: F6
def test_a_refusal_of_the_disk_is_told() -> None:
    kept = Kept()
    kept.buffer.add(b"a" * 100 * KIB)
    kept.disk.error = errno.ENOSPC
    kept.disk.turn()
    assert kept.told == [errno.ENOSPC]
    kept.buffer.close()
    assert kept.taken() == (0, 0)


def test_a_file_that_cannot_be_read_back_is_an_error_of_ours() -> None:
    kept = Kept()
    kept.buffer.add(b"a" * 100 * KIB)
    kept.disk.waiting[0][1].append(bytearray(b"a"))
    owner, file, data = kept.disk.waiting.pop()
    owner.written(len(data), 0)  # the disk has lost most of it
    with staged() as stage:
        upstream = connection(stage, chunked=True)
        with pytest.raises(ProxyError) as caught:
            kept.buffer.send_first(sent(upstream))
        assert caught.value.cause.code == "proxy_internal_error"
        os.close(file.fd)
        kept.buffer.rewind()
        with pytest.raises(ProxyError) as caught:
            kept.buffer.send_first(sent(upstream))
        assert caught.value.cause.code == "proxy_internal_error"
        upstream.send_file = lambda *_: -1  # type: ignore[method-assign]
        with pytest.raises(ProxyError) as caught:
            kept.buffer.send(sent(upstream))
        assert caught.value.cause.code == "proxy_internal_error"
    file.fd = -1
    kept.buffer.close()
