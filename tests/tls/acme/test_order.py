"""A front door that dies between any two steps of an order: nothing is lost, and no second order is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lb.config.acme import AcmeServer
from lb.tls.acme.client import AcmeClient, Answer
from lb.tls.acme.store import Store
from tests.tls.acme.server import FakeCa
from tests.tls.acme.world import World

# A connection that is cut off while it is made leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

NAME = "shop.example.com"
HOUR = 3600.0


class Death(BaseException):
    """The process ends here; nothing that it would have done afterwards happens."""


class Fate:
    """Counts the steps, and ends everything at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.steps: list[str] = []

    def step(self, what: str) -> None:
        self.steps.append(what)
        if self.at is not None and len(self.steps) >= self.at:
            raise Death(what)


def mortal(fate: Fate) -> tuple[type[Store], type[AcmeClient]]:
    """A store and a client for which the time before and the time after each write and each request is a step."""

    class MortalStore(Store):
        def _write(self, path: Path, data: bytes) -> None:
            fate.step(f"before {path.name} is written")
            super()._write(path, data)
            fate.step(f"after {path.name} was written")

        def _remove(self, path: Path) -> None:
            fate.step(f"before {path.name} is removed")
            super()._remove(path)
            fate.step(f"after {path.name} was removed")

    class MortalClient(AcmeClient):
        def __init__(self, session: aiohttp.ClientSession, server: AcmeServer, *more: Any) -> None:
            super().__init__(session, server, *more)

        async def _request(self, method: str, url: str, body: object = None) -> Answer:
            fate.step(f"before {method} {url}")
            answer = await super()._request(method, url, body)
            fate.step(f"after {method} {url}")
            return answer

    return MortalStore, MortalClient


async def live(world: World, fate: Fate, seconds: float = 300) -> None:
    world.store_class, world.client_class = mortal(fate)
    try:
        async with world.manager(NAME) as manager:
            await world.run(manager, seconds)
    except Death:
        pass


async def renewed_after_death(world: World, at: int | None) -> tuple[FakeCa, Fate]:
    """One front door that dies at a step of its first order, and the next one, which is let live."""
    ca = world.cas[0]
    fate = Fate(at)
    await live(world, fate)
    await live(world, Fate(), HOUR)
    return ca, fate


@pytest.mark.parametrize("memory", ["lists orders", "gives pending orders again"])
async def test_nothing_is_lost_whenever_it_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str, caplog: pytest.LogCaptureFixture
) -> None:
    # spec: T5
    monkeypatch.setattr("os.fsync", lambda _: None)
    caplog.set_level("CRITICAL")
    at, last = 1, None
    while last is None or at <= last:
        world = World(tmp_path / f"{at if last else 'alive'}")
        ca = await world.add_ca(
            lists_orders=memory == "lists orders", reuses_pending=memory != "lists orders", processing_looks=1
        )
        if last is None:
            _, fate = await renewed_after_death(world, None)
            last = len(fate.steps)
            assert last > 30
        else:
            _, fate = await renewed_after_death(world, at)
            where = fate.steps[-1]
            held = world.held(NAME)
            assert held is not None, where
            assert held.names == {NAME}, where
            assert len(ca.orders) == 1, where
            assert len(ca.accounts) == 1, where
            state = world.store.state(NAME)
            assert state is not None, where
            assert state["ca"] == f"{ca.base}/directory", where
            assert not list((world.store.root / "orders").iterdir()), where
            at += 1
        await world.close()


async def test_a_key_change_that_is_cut_off_keeps_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: T5
    monkeypatch.setattr("os.fsync", lambda _: None)
    at, last = 1, 1
    while at <= last:
        world = World(tmp_path / f"{at}")
        ca = await world.add_ca()
        await live(world, Fate())
        world.store.ask_for("account-key")
        fate = Fate(at)
        await live(world, fate)
        last = max(last, len(fate.steps) + (fate.steps != [] and len(fate.steps) == at))
        await live(world, Fate(), HOUR)
        world.store.ask_for(NAME)
        await live(world, Fate(), HOUR)
        assert len(ca.accounts) == 1, fate.steps[-1]
        assert len(ca.orders) == 2, fate.steps[-1]
        at += 1
        await world.close()
    assert last > 15


async def test_halves_of_files_are_swept_away(world: World) -> None:
    store = world.store
    (store.challenges / "left").write_text("x")
    half = store.root / "certificates" / ".shop.example.com.pem.77.new"
    half.write_text("half")
    store.sweep()
    assert half.exists()  # another process may be writing it
    for path in (half, store.challenges / "left"):
        os.utime(path, (0, 0))
    store.sweep()
    assert not half.exists()
    assert not list(store.challenges.iterdir())
    assert store.certificate_paths() == []
