"""Our account with a CA: created once, kept in the store, its key rolled over on request (RFC 8555 sections 7.3 to
7.3.5).

This file knows account objects. It does not know orders.

Crash-safe by the order of writing: the key is stored before the CA gets it, and a CA that knows a key returns the same
account again. During a roll-over both keys are kept until it is known which one the CA has.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from lb.config.acme import AcmeServer
from lb.tls.acme.client import AcmeClient, Signer
from lb.tls.acme.errors import AcmeError, Kind, said_by_ca
from lb.tls.acme.jws import Key, bind_external, new_account_key, public_jwk, sign
from lb.tls.acme.store import Store, account_slug

log = logging.getLogger("lb.certificates")

_RECORD, _KEY, _NEXT = "account.json", "key.pem", "next.pem"
_LOCK_STEP, _LOCK_TIMEOUT = 0.2, 60.0  # seconds
_GONE = frozenset({"accountDoesNotExist", "unauthorized"})


@dataclass(frozen=True, slots=True)
class Account:
    """`orders` is the URL of the account's list of orders, "" if the CA has none."""

    signer: Signer
    url: str
    orders: str


async def open_account(client: AcmeClient, store: Store, email: str | None) -> Account:
    """The store's account, updated; a new one if there is none. Raises AcmeError and OSError."""
    if (account := _settled(client, store, email)) is not None:
        return account
    async with _locked(client, store):
        key = await _settle_key(client, store) or _new_key(client, store, _KEY)
        record = _record(store, client.server)
        if record is None:
            return await _register(client, store, key, email)
        account = Account(Signer(key, record["url"]), record["url"], record.get("orders", ""))
        if record.get("email") == email:
            return account  # another process has just created it
        try:
            await client.post(account.signer, account.url, {"contact": _contact(email)})
        except AcmeError as error:
            if error.problem not in _GONE:
                raise
            return await _register(client, store, key, email)
        _save(store, client.server, account, email)
        return account


def _settled(client: AcmeClient, store: Store, email: str | None) -> Account | None:
    """The account, if nothing is left to be done for it."""
    directory = client.server.directory
    record, key = _record(store, client.server), _load_key(store.account_part(directory, _KEY))
    if (
        record is None
        or key is None
        or record.get("email") != email
        or store.account_part(directory, _NEXT) is not None
    ):
        return None
    return Account(Signer(key, record["url"]), record["url"], record.get("orders", ""))


def forget_account(client: AcmeClient, store: Store, error: AcmeError) -> bool:
    """Whether the CA has just said that it does not know the account: the next request for one creates another."""
    if error.problem != "accountDoesNotExist":
        return False
    store.drop_account_part(client.server.directory, _RECORD)
    return True


async def roll_over(client: AcmeClient, store: Store, email: str | None) -> None:
    """Give the account a new key (RFC 8555 section 7.3.5). Raises AcmeError and OSError."""
    account = await open_account(client, store, email)
    async with _locked(client, store):
        new = _new_key(client, store, _NEXT)
        url = await client.resource("keyChange")
        if not url:
            store.drop_account_part(client.server.directory, _NEXT)
            raise AcmeError(Kind.REFUSED, f"{client.host} cannot change an account's key")
        inner = {"account": account.url, "oldKey": public_jwk(account.signer.key)}
        await client.post(account.signer, url, sign(new, {"jwk": public_jwk(new), "url": url}, inner))
        _promote(client, store)
    log.info("the account at %s has a new key", client.host)


async def _settle_key(client: AcmeClient, store: Store) -> Key | None:
    """The account's key; after an interrupted roll-over, the one of the two that the CA knows."""
    directory = client.server.directory
    key, new = (_load_key(store.account_part(directory, part)) for part in (_KEY, _NEXT))
    if new is None:
        return key
    try:
        url = await client.resource("newAccount")
        await client.post(Signer(new), url, {"onlyReturnExisting": True})
    except AcmeError as error:
        if error.problem not in _GONE:
            raise
        store.drop_account_part(directory, _NEXT)
        return key
    _promote(client, store)
    return new


def _promote(client: AcmeClient, store: Store) -> None:
    directory = client.server.directory
    store.save_account_part(directory, _KEY, store.account_part(directory, _NEXT) or b"")
    store.drop_account_part(directory, _NEXT)


async def _register(client: AcmeClient, store: Store, key: Key, email: str | None) -> Account:
    """Create the account, or find the one that this key already has."""
    meta, url = await client.meta(), await client.resource("newAccount")
    request: dict[str, Any] = {"termsOfServiceAgreed": True, "contact": _contact(email)}
    binding = client.server.eab
    if binding is not None:
        request["externalAccountBinding"] = bind_external(binding.kid, binding.hmac_key, key, url)
    elif meta.get("externalAccountRequired") is True:
        raise AcmeError(Kind.REFUSED, f"{client.host} requires an external account: add tls.acme.eab", of_the_ca=True)
    answer = await client.post(Signer(key), url, request)
    if not answer.location:
        raise AcmeError(Kind.UNREACHABLE, f"{client.host} made an account without a URL", of_the_ca=True)
    orders = answer.json().get("orders")
    account = Account(Signer(key, answer.location), answer.location, orders if isinstance(orders, str) else "")
    _save(store, client.server, account, email)
    terms = meta.get("termsOfService")
    more = f"; its terms of service: {said_by_ca(terms)}" if terms else ""
    log.info("account with %s: %s%s", client.host, said_by_ca(account.url), more)
    return account


def _contact(email: str | None) -> list[str]:
    return [f"mailto:{email}"] if email else []


def _record(store: Store, server: AcmeServer) -> dict[str, Any] | None:
    data = store.account_part(server.directory, _RECORD)
    try:
        record = None if data is None else json.loads(data)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("url"), str) else None


def _save(store: Store, server: AcmeServer, account: Account, email: str | None) -> None:
    record = {"directory": server.directory, "url": account.url, "orders": account.orders, "email": email}
    store.save_account_part(server.directory, _RECORD, json.dumps(record, indent=1).encode())


def _new_key(client: AcmeClient, store: Store, part: str) -> Key:
    key = new_account_key()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    store.save_account_part(client.server.directory, part, pem)
    return key


def _load_key(pem: bytes | None) -> Key | None:
    try:
        key = None if pem is None else load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


@asynccontextmanager
async def _locked(client: AcmeClient, store: Store) -> AsyncIterator[None]:
    """One holder at a time, over all lb services on the store; within this one without polling."""
    async with client.turn:
        end = asyncio.get_running_loop().time() + _LOCK_TIMEOUT
        while True:
            with store.lock(f"account-{account_slug(client.server.directory)}") as ours:
                if ours:
                    yield
                    return
            if asyncio.get_running_loop().time() > end:
                raise AcmeError(Kind.HERE, f"another lb has locked the account with {client.host} for too long")
            await asyncio.sleep(_LOCK_STEP)
