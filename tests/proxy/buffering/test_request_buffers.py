"""The bounds of memory and disk for all buffered bodies, and the log line about a disk that refuses."""

from __future__ import annotations

import errno

import pytest

from lb.errors import ProxyError
from lb.proxy.buffering.request_buffers import RequestBuffers
from lb.routing.buffered_bytes import BufferedBytes
from tests.proxy.buffering.made import made_with
from tests.proxy.exchange.fakes import FakeDisk

MIB = 1 << 20


def buffers() -> RequestBuffers:
    return made_with(FakeDisk(), BufferedBytes())


# spec: F6
def test_memory_has_a_bound_whatever_the_disk_does() -> None:
    held = buffers()
    held.hold(64 * MIB)
    assert not held.is_crowded()
    held.hold(1)
    assert held.is_crowded()
    held.hold(192 * MIB - 1)
    with pytest.raises(ProxyError) as caught:
        held.hold(1)
    assert caught.value.cause.code == "buffer_limit_reached"
    held.let_go(256 * MIB + 1)
    assert held.in_memory == 0
    held.hold(1)


# spec: F6
def test_the_disk_has_a_bound_that_is_named() -> None:
    held = buffers()
    held.take_disk(10, 10)
    assert held.on_disk() == 10
    assert not held.has_room(1, 10)
    with pytest.raises(ProxyError, match=r"10 bytes \(limits.buffered\)") as caught:
        held.take_disk(1, 10)
    assert (caught.value.cause.status, caught.value.cause.retry_after) == (503, 1)
    held.give_disk_back(10)
    assert held.has_room(10, 10)


# spec: E3
def test_a_disk_that_refuses_is_a_line_in_the_log_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/some/where")
    held = buffers()
    held.say(errno.ENOSPC, 100.0)
    held.say(errno.ENOSPC, 159.0)
    held.say(errno.EROFS, 160.0)
    first, second = caplog.messages
    assert first.startswith("request bodies cannot be buffered in /some/where: no space left on device; ")
    assert "TMPDIR" in first
    assert "read-only file system" in second


def test_a_worker_that_is_replaced_counts_by_itself() -> None:
    held = buffers()
    held.take_disk(10, 10)
    held.detach()
    assert held.on_disk() == 10
