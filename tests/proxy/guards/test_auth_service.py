"""Turns at an authentication service, and the addresses of its name."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lb.errors import ProxyError
from lb.proxy.guards import auth_service
from lb.proxy.guards.auth_service import AuthService
from lb.routing.instance import Instance

FOUR, SIX = (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")


class Poller:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now = 100.0


class FakeEngine:
    """As much of an engine as a service uses."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.poller = Poller(loop)
        self.retired: list[Instance] = []

    def retire(self, instances: Sequence[Instance]) -> None:
        self.retired += instances


class Asker:
    def __init__(self) -> None:
        self.addresses: list[str] | None = None
        self.error: ProxyError | None = None

    def go(self, addresses: Sequence[Instance]) -> None:
        self.addresses = [str(one.address[0]) for one in addresses]

    def refused(self, error: ProxyError) -> None:
        self.error = error


@pytest.fixture
def engine() -> Iterator[Any]:
    loop = asyncio.new_event_loop()
    try:
        yield FakeEngine(loop)
    finally:
        loop.close()


def resolving(engine: Any, monkeypatch: pytest.MonkeyPatch, *found: tuple[int, str]) -> None:
    """From now on its names have these addresses; none: they have no address."""

    async def getaddrinfo(_host: str, port: int, **_: Any) -> list[Any]:
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(family, 1, 6, "", (address, port)) for family, address in found]

    monkeypatch.setattr(engine.poller.loop, "getaddrinfo", getaddrinfo)


def look_up(engine: Any, service: AuthService) -> None:
    """Let the look-up that is under way come to its end."""
    assert service._lookup is not None
    engine.poller.loop.run_until_complete(service._lookup)


def entered(service: AuthService) -> Asker:
    asker = Asker()
    service.enter(asker)
    return asker


# spec: L5
def test_turns_are_bounded_and_taken_in_order(engine: Any) -> None:
    service = AuthService(engine, "192.0.2.1", 9000)
    askers = [entered(service) for _ in range(70)]
    assert [asker.addresses is not None for asker in askers] == [True] * 64 + [False] * 6
    service.forget(askers[64])
    service.left()
    service.left()
    assert [asker.addresses is not None for asker in askers[64:]] == [False, True, True, False, False, False]
    assert service.busy == 64
    for _ in range(253):
        entered(service)
    with pytest.raises(ProxyError) as error:
        entered(service)
    assert error.value.cause.code == "forward_auth_unavailable"


def test_a_name_is_looked_up_before_its_first_use_and_again_later(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(engine, monkeypatch, SIX, FOUR, FOUR)
    service = AuthService(engine, "auth.example", 9000)
    first = entered(service)
    assert first.addresses is None
    look_up(engine, service)
    assert first.addresses == [SIX[1], FOUR[1]]
    service.left()
    engine.poller.now += 9.0
    assert entered(service).addresses == first.addresses
    assert service._lookup is None
    resolving(engine, monkeypatch, FOUR)
    engine.poller.now += 2.0
    assert entered(service).addresses == first.addresses  # those that are known, meanwhile
    kept = service._addresses[1]
    look_up(engine, service)
    assert service._addresses == [kept]
    assert [one.address[0] for one in engine.retired] == [SIX[1]]


def test_a_name_without_an_address_refuses_who_waits(
    engine: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    resolving(engine, monkeypatch)
    service = AuthService(engine, "auth.example", 9000)
    waits = entered(service)
    look_up(engine, service)
    assert waits.error is not None
    assert waits.error.cause.code == "forward_auth_unavailable"
    with pytest.raises(ProxyError):
        entered(service)  # at once: it was just looked up
    engine.poller.now += 1.5
    resolving(engine, monkeypatch, FOUR)
    late = entered(service)
    look_up(engine, service)
    assert late.addresses == [FOUR[1]]
    resolving(engine, monkeypatch)
    engine.poller.now += 20.0
    assert entered(service).addresses == [FOUR[1]]
    look_up(engine, service)
    assert entered(service).addresses == [FOUR[1]]  # what was known stays
    assert len(caplog.records) == 1
    assert "auth.example has no address" in caplog.text


def test_the_address_that_works_is_tried_first(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(engine, monkeypatch, SIX, FOUR)
    service = AuthService(engine, "localhost", 9000)
    entered(service)
    look_up(engine, service)
    service.worked(service._addresses[1])
    assert entered(service).addresses == [FOUR[1], SIX[1]]
    service.worked(Instance("gone", *FOUR_AT))
    assert entered(service).addresses == [FOUR[1], SIX[1]]


FOUR_AT = (socket.AF_INET, ("192.0.2.9", 1))


def test_an_address_is_no_name(engine: Any) -> None:
    for host, family in (("192.0.2.1", socket.AF_INET), ("2001:db8::1", socket.AF_INET6), ("auth", None)):
        assert auth_service._family_of(host) == family


class Hasty(Asker):
    """Its turn is over at once, in a fault or not."""

    def __init__(self, service: AuthService, *, fails: bool = False) -> None:
        super().__init__()
        self._service = service
        self._fails = fails
        self.depth = 0

    def go(self, addresses: Sequence[Instance]) -> None:
        super().go(addresses)
        self.depth = len(inspect.stack(0))
        if self._fails:
            raise LookupError
        self._service.left()

    def refused(self, error: ProxyError) -> None:
        super().refused(error)
        self._service.left()


# spec: L5
def test_turns_that_are_over_at_once_are_not_nested(engine: Any) -> None:
    service = AuthService(engine, "192.0.2.1", 9000)
    for _ in range(64):
        entered(service)
    hasty = [Hasty(service) for _ in range(256)]
    for one in hasty:
        service.enter(one)
    service.left()
    assert hasty[-1].depth - len(inspect.stack(0)) < 10
    assert all(one.addresses for one in hasty)
    assert service.busy == 63


def test_a_turn_that_begins_with_a_fault_costs_nobody_else_theirs(
    engine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    service = AuthService(engine, "192.0.2.1", 9000)
    for _ in range(64):
        entered(service)
    faulty = Hasty(service, fails=True)
    service.enter(faulty)
    following = entered(service)
    service.left()
    assert faulty.error is not None
    assert faulty.error.cause.code == "forward_auth_unavailable"
    assert following.addresses is not None
    assert service.busy == 64
    assert "could not be asked" in caplog.text
