"""One instance's state: whether it may serve, how much, and what it remembers of idle connections."""

from __future__ import annotations

import socket
import struct

import pytest

from lb.routing.instance import SAFE_IDLE, Instance, pack_address
from tests.routing.instances import NOW, make


def test_it_serves_up_to_its_limit() -> None:
    # spec: L5
    [one] = make(1, limit=2)
    served = []
    for one.inflight in range(4):
        served.append((one.may_serve(None, NOW), one.is_full(), one.is_up(NOW)))
    assert served == [(True, False, True)] * 2 + [(False, True, True)] * 2
    [boundless] = make(1)
    boundless.inflight = 10_000
    assert (boundless.may_serve(None, NOW), boundless.is_full()) == (True, False)


def test_what_it_serves_weighs_more_while_it_comes_back() -> None:
    # spec: F1
    [one] = make(1)
    one.inflight = 3
    assert one.load(NOW) == 3
    one.slow_start = 10.0
    one.came_back(NOW)
    assert [one.load(NOW + after) for after in (0, 5, 10)] == pytest.approx([30, 6, 3])


def test_while_it_comes_back_it_takes_its_share_of_turns_evenly() -> None:
    # spec: F1
    [one] = make(1)
    one.slow_start = 10.0
    one.came_back(NOW)
    assert [one.takes_turn(NOW + 2.5) for _ in range(8)] == [False, False, False, True] * 2
    assert one.takes_turn(NOW + 10)


def test_checks_that_pass_again_end_what_was_and_begin_slowly() -> None:
    # spec: A1, F1
    [one] = make(1)
    one.slow_start = 10.0
    one.set_healthy(True, NOW)
    assert not one.ramping  # it had not been away
    one.failures = 2
    one.set_healthy(False, NOW)
    assert (one.healthy, one.failures, one.ramping) == (False, 2, False)
    one.set_healthy(True, NOW + 5)
    assert (one.healthy, one.failures, one.ramping, one.since) == (True, 0, True, NOW + 5)


def test_how_long_idle_connections_are_trusted() -> None:
    # spec: F2: well below what the instance was seen to keep, and a little more with every answer
    [one] = make(1)
    one.keeps_idle = True
    one.closed_idle(5.0)
    assert (one.keep_alive, one.keeps_idle) == (SAFE_IDLE, True)
    one.closed_idle(0.5)
    one.closed_idle(0.8)
    assert (one.keep_alive, one.keeps_idle) == (0.25, True)
    one.worked(NOW)
    assert one.keep_alive == pytest.approx(0.251)
    for _ in range(2000):
        one.worked(NOW)
    assert one.keep_alive == pytest.approx(SAFE_IDLE, abs=0.0011)
    one.closed_idle(0.01)
    assert not one.keeps_idle


@pytest.mark.parametrize(
    ("family", "address", "packed"),
    [
        (socket.AF_UNIX, "/run/shop.sock", b"/run/shop.sock\0"),
        (socket.AF_INET, ("10.0.0.1", 8080), b"\x1f\x90\x0a\0\0\x01" + bytes(8)),
        (socket.AF_INET6, ("::1", 8080), b"\x1f\x90" + bytes(19) + b"\x01" + bytes(4)),
        (
            socket.AF_INET6,
            ("fe80::1%lo", 80),
            b"\0\x50" + bytes(4) + b"\xfe\x80" + bytes(13) + b"\x01" + struct.pack("=I", socket.if_nametoindex("lo")),
        ),
    ],
)
def test_its_address_is_what_the_system_calls_by(family: int, address: str | tuple[str, int], packed: bytes) -> None:
    # sockaddr_un, sockaddr_in and sockaddr_in6 of netinet/in.h
    assert pack_address(family, address) == struct.pack("=H", family) + packed
    assert Instance("any", family, address).packed == pack_address(family, address)
