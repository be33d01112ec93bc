"""Certificates for names that come up in handshakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from lb.tls.acme.desired import DesiredCertificate
from lb.tls.acme.managed import ManagedCertificate
from lb.tls.acme.manager import AT_ONCE, CertificateManager
from lb.tls.acme.on_demand import OnDemandPolicy
from lb.tls.acme.session import open_session
from tests.tls.acme.server import DAY
from tests.tls.acme.world import World

pytestmark = pytest.mark.long

WILDCARD = "*.customers.example.com"
NAME = "one.customers.example.com"


class Endpoint:
    """The operator's endpoint: allows what is in `allowed`, and keeps what it was asked."""

    def __init__(self) -> None:
        self.allowed = {NAME}
        self.asked: list[str] = []
        self.status = 404
        self.crowded, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()

    async def answer(self, request: web.Request) -> web.Response:
        name = request.query["domain"]
        self.asked.append(name)
        if len(self.asked) > AT_ONCE:
            self.crowded.set()
        await self.go_on.wait()
        return web.Response(status=200 if name in self.allowed else self.status)


@asynccontextmanager
async def on_demand(world: World, endpoint: Endpoint) -> AsyncIterator[CertificateManager]:
    app = web.Application()
    app.router.add_get("/ask", endpoint.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with open_session() as session, world.manager() as manager:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/ask?key=1"
        manager._demand = OnDemandPolicy(session, url, {WILDCARD})
        manager._adopt_demanded()
        yield manager
    await runner.cleanup()


async def test_an_approved_name_gets_one_and_keeps_it(world: World) -> None:
    # spec: T5
    ca, endpoint = await world.add_ca(), Endpoint()
    async with on_demand(world, endpoint) as manager:
        manager.demanded(NAME)
        await world.run(manager, 10)
        assert world.held(NAME) is not None
        manager.demanded(NAME)
        await world.run(manager, 10)
        assert len(ca.orders) == 1
    async with on_demand(world, endpoint) as manager:  # after a restart, without a new request for it
        await world.run(manager, 61 * DAY)
        assert len(ca.orders) == 2
        endpoint.allowed.clear()
        await world.run(manager, 90 * DAY)
    assert len(ca.orders) == 2
    assert endpoint.asked == [NAME] * 3


@pytest.mark.parametrize(
    "name",
    [
        "other.example.com",
        "a.b.customers.example.com",
        "customers.example.com",
        "*.customers.example.com",
        "x_y.customers.example.com",
        "../x.customers.example.com",
        "a b.customers.example.com",
        "x" * 64 + ".customers.example.com",
        "",
    ],
)
async def test_names_that_nobody_is_asked_about(world: World, name: str) -> None:
    ca, endpoint = await world.add_ca(), Endpoint()
    async with on_demand(world, endpoint) as manager:
        manager.demanded(name)
        await world.run(manager, 10)
    assert not endpoint.asked
    assert not ca.orders


async def test_refused_names_cost_one_question_and_leave_nothing(world: World) -> None:
    # spec: T5
    ca, endpoint = await world.add_ca(), Endpoint()
    async with on_demand(world, endpoint) as manager:
        for number in range(1000):
            manager.demanded(f"n{number}.customers.example.com")
        for _ in range(10):
            manager.demanded("n0.customers.example.com")
        await world.run(manager, 10)
        assert len(endpoint.asked) == 20
        assert not manager._entries
    assert not ca.orders
    assert not list((world.store.root / "states").iterdir())


async def test_whoever_waits_is_told_when_there_is_none(world: World) -> None:
    # spec: T5
    ca, endpoint = await world.add_ca(), Endpoint()
    failing = "failing.customers.example.com"
    endpoint.allowed.add(failing)
    async with on_demand(world, endpoint) as manager:
        denied: list[str] = []
        outcomes: list[bool] = []
        manager.on_denied = denied.append
        manager.on_outcome = lambda: outcomes.append(manager.idle)
        for name in ("other.example.com", "bad.customers.example.com", NAME, "bad.customers.example.com"):
            manager.demanded(name)
        assert denied == ["other.example.com"]  # the others are still being asked about
        await world.run(manager, 5)
        assert denied == ["other.example.com", "bad.customers.example.com"]
        assert outcomes[-1]
        for name in ("bad.customers.example.com", NAME):  # refused a moment ago; held
            manager.demanded(name)
        assert denied[2:] == ["bad.customers.example.com"]
        ca.fail("newOrder", 403, "rejectedIdentifier")
        manager.demanded(failing)
        await world.run(manager, 5)
        manager.demanded(failing)  # it is tried again, but not before long
        assert denied[3:] == [failing, failing]
        assert not manager._awaited


async def test_nobody_is_told_while_it_is_tried_again_soon(world: World) -> None:
    # spec: T5
    ca, endpoint = await world.add_ca(), Endpoint()
    ca.fail("newOrder", 503, "serverInternal", retry_after="3")
    async with on_demand(world, endpoint) as manager:
        denied: list[str] = []
        manager.on_denied = denied.append
        manager.demanded(NAME)
        await world.run(manager, 60)
        assert world.held(NAME) is not None
    assert denied == []


async def test_a_slow_endpoint_takes_no_place_of_an_order(world: World) -> None:
    # spec: T5 L5
    await world.add_ca()
    endpoint = Endpoint()
    endpoint.go_on.clear()
    slow = [f"slow{number}.customers.example.com" for number in range(AT_ONCE + 1)]
    endpoint.allowed.update(slow)
    async with on_demand(world, endpoint) as manager:
        for name in slow:
            manager.demanded(name)
        manager.look()
        await asyncio.wait_for(endpoint.crowded.wait(), 10)  # all of them are being asked about
        done = asyncio.Event()
        manager.on_outcome = done.set
        manager._entries["plain.example.com"] = ManagedCertificate(
            DesiredCertificate("plain.example.com", ("plain.example.com",))
        )
        manager.demanded("plain.example.com")
        manager.look()
        await asyncio.wait_for(done.wait(), 10)
        assert world.held("plain.example.com") is not None
        endpoint.go_on.set()
        await world.run(manager, 10)
    assert all(world.held(name) is not None for name in slow)


async def test_an_endpoint_that_is_broken_allows_nothing(world: World) -> None:
    ca, endpoint = await world.add_ca(), Endpoint()
    endpoint.allowed, endpoint.status = set(), 500
    async with on_demand(world, endpoint) as manager:
        manager.demanded(NAME)
        await world.run(manager, 10)
        assert not manager._entries
        assert not list((world.store.root / "states").iterdir())
        endpoint.allowed = {NAME}
        world.time += 60
        manager.demanded(NAME)
        await world.run(manager, 10)
    assert len(ca.orders) == 1


async def test_a_renewal_waits_for_an_endpoint_that_is_broken(world: World) -> None:
    ca, endpoint = await world.add_ca(), Endpoint()
    async with on_demand(world, endpoint) as manager:
        manager.demanded(NAME)
        await world.run(manager, 10)
        endpoint.allowed, endpoint.status = set(), 503
        await world.run(manager, 61 * DAY)
        assert len(ca.orders) == 1
        endpoint.allowed = {NAME}
        await world.run(manager, DAY)
    assert len(ca.orders) == 2
