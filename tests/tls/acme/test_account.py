"""The account with a CA: made once, kept, brought up to date, and found again when the CA has lost it."""

from __future__ import annotations

import pytest

from lb.config.acme import AcmeServer
from lb.tls.acme.account import Account, forget_account, open_account, roll_over
from lb.tls.acme.client import AcmeClient
from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.acme.jws import public_jwk
from lb.tls.acme.session import open_session
from tests.tls.acme.world import World

EMAIL = "ops@example.com"


async def opened(world: World, email: str | None = EMAIL) -> Account:
    async with open_session() as session:
        return await open_account(AcmeClient(session, world.acme().servers[0], world.now), world.store, email)


# spec: T5
async def test_an_account_is_made_once(world: World) -> None:
    await world.add_ca()
    one, other = await opened(world), await opened(world)
    assert one.url == other.url
    assert public_jwk(one.signer.key) == public_jwk(other.signer.key)
    assert (await opened(world, None)).url == one.url  # without the address, and the same


# spec: T5
async def test_a_key_is_changed_and_the_account_stays(world: World) -> None:
    await world.add_ca()
    before = await opened(world)
    async with open_session() as session:
        await roll_over(AcmeClient(session, world.acme().servers[0], world.now), world.store, EMAIL)
    after = await opened(world)
    assert after.url == before.url
    assert public_jwk(after.signer.key) != public_jwk(before.signer.key)


# spec: T5
async def test_only_an_account_that_the_ca_does_not_know_is_forgotten(world: World) -> None:
    await world.add_ca()
    await opened(world)
    async with open_session() as session:
        client = AcmeClient(session, world.acme().servers[0], world.now)
        assert not forget_account(client, world.store, AcmeError(Kind.BUSY, "later", problem="rateLimited"))
        assert forget_account(client, world.store, AcmeError(Kind.REFUSED, "who?", problem="accountDoesNotExist"))
        assert (await open_account(client, world.store, EMAIL)).url


# spec: E3
async def test_a_ca_that_cannot_be_reached_is_an_error_that_names_it(world: World) -> None:
    async with open_session() as session:
        client = AcmeClient(session, AcmeServer(directory="http://127.0.0.1:1/directory"))
        with pytest.raises(AcmeError, match=r"127\.0\.0\.1") as caught:
            await open_account(client, world.store, EMAIL)
    assert caught.value.kind is Kind.UNREACHABLE
