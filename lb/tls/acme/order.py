"""One order, from the wish for a certificate to the file in the store, resumable between any two of its steps.

This file knows the order's state machine (RFC 8555 section 7.1.6) and the order of writes. It does not know why a
certificate is wanted, or when a failed order is tried again.

What has to survive is written before the CA is contacted: the certificate's key, then that an order will be made. The
CA keeps the state from there on, so resuming means asking it. An order whose URL was not saved is looked up in the
account's list of orders; a CA without one usually returns the same pending order again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from lb.config.acme import ChallengeType
from lb.tls.acme.account import Account
from lb.tls.acme.certificate_info import parse_held
from lb.tls.acme.challenge import Proof, choose, present, withdraw
from lb.tls.acme.client import AcmeClient, Answer
from lb.tls.acme.errors import AcmeError, Kind, error_of, said_by_ca
from lb.tls.acme.jws import b64
from lb.tls.acme.store import Store

log = logging.getLogger("lb.certificates")

CertificateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_TIMEOUT = 240.0  # seconds for the CA to decide; after that the order is kept and looked at again later
_FIRST_LOOK, _LONGEST_LOOK = 0.25, 15.0  # seconds between two looks, unless the CA sets it
_NOT_REPLACED = frozenset({"alreadyReplaced", "conflict", "malformed", "unauthorized"})
_LISTED = 40  # orders of an account's list that are examined


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """The certificate to obtain. `name` is its file's; `replaces` its predecessor's ARI identifier, "" for none."""

    name: str
    names: tuple[str, ...]
    profile: str | None
    key_type: str
    replaces: str
    types: tuple[ChallengeType, ...]
    turn: int  # failed proofs so far: the next one uses another challenge


@dataclass(frozen=True, slots=True)
class OrderContext:
    """What an order depends on. `check` tests whether a proof is visible on our own listeners."""

    store: Store
    hook: tuple[str, ...]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    check: Callable[[Proof], Awaitable[None]]


class Order:
    """Raises AcmeError and OSError."""

    def __init__(self, client: AcmeClient, account: Account, wish: CertificateRequest, means: OrderContext) -> None:
        self._client = client
        self._account = account
        self._wish = wish
        self._means = means
        self._store = means.store

    async def obtain(self) -> None:
        """The certificate is in the store when this returns; the order's record stays until the outcome is noted."""
        url, resumed = await self._begin()
        try:
            await self._advance(url)
        except AcmeError as error:
            if error.kind in {Kind.UNPROVEN, Kind.REFUSED}:
                self._store.drop_order(self._wish.name)  # it is at its end
            if not resumed or error.kind is not Kind.REFUSED:
                raise
        else:
            return
        url, _ = await self._begin()  # the CA no longer knows the old one
        await self._advance(url)

    # The order itself

    async def _begin(self) -> tuple[str, bool]:
        """The URL of the order, and whether it existed already: one for the same certificate is resumed."""
        wish, store = self._wish, self._store
        terms = {
            "directory": self._client.server.directory,
            "account": self._account.url,
            "names": list(wish.names),
            "profile": wish.profile,
            "key_type": wish.key_type,
        }
        record = store.order(wish.name)
        known = record is not None and {key: record.get(key) for key in terms} == terms
        if known and record is not None and store.order_key(wish.name) is not None:
            if url := record.get("url"):
                log.info("%s: resuming the order %s", wish.name, said_by_ca(url))
                return str(url), True
            if url := await self._find_listed():
                store.save_order(wish.name, {**terms, "url": url})
                return url, True
        else:
            store.drop_order(wish.name)
            store.save_order_key(wish.name, _pem(_new_key(wish.key_type)))
            store.save_order(wish.name, {**terms, "url": ""})
        answer = await self._new_order(wish)
        if not answer.location:
            raise AcmeError(Kind.UNREACHABLE, f"{self._client.host} made an order without a URL")
        store.save_order(wish.name, {**terms, "url": answer.location})
        return answer.location, False

    async def _new_order(self, wish: CertificateRequest) -> Answer:
        request: dict[str, Any] = {"identifiers": _identifiers(wish.names)}
        profiles = (await self._client.meta()).get("profiles")
        if wish.profile is not None:
            if not isinstance(profiles, Mapping) or wish.profile not in profiles:
                has = ", ".join(map(str, profiles)) if isinstance(profiles, Mapping) and profiles else "none"
                raise AcmeError(
                    Kind.REFUSED, f"{self._client.host} has no profile {wish.profile!r}; it has: {has}", of_the_ca=True
                )
            request["profile"] = wish.profile
        if wish.replaces and await self._client.resource("renewalInfo"):
            request["replaces"] = wish.replaces
        try:
            return await self._client.post(self._account.signer, await self._client.resource("newOrder"), request)
        except AcmeError as error:
            # The predecessor is replaced already, or not this CA's or this account's: it must not be named any more.
            if "replaces" not in request or error.problem not in _NOT_REPLACED:
                raise
        return await self._new_order(replace(wish, replaces=""))

    async def _find_listed(self) -> str:
        """The URL of an order made just before a crash, which could not be saved; "" if there is none."""
        url, wanted, looked = self._account.orders, _identifiers(self._wish.names), 0
        while url and looked < _LISTED:
            try:
                page = await self._client.fetch(self._account.signer, url)
                listed = page.json().get("orders")
            except AcmeError as error:
                if error.kind is Kind.REFUSED:
                    return ""  # an optional part of the protocol, which some CAs announce without having it
                raise
            for one in listed if isinstance(listed, list) else ():
                looked += 1
                order = (await self._client.fetch(self._account.signer, str(one))).json()
                same = _same_identifiers(order.get("identifiers"), wanted)
                if same and order.get("status") in {"pending", "ready"}:
                    return str(one)
            url = page.links.get("next", "")
        return ""

    async def _advance(self, url: str) -> None:
        """Take the order from its present state to its end."""
        end = self._means.now() + _TIMEOUT
        pause = _FIRST_LOOK
        proved = False
        while True:
            answer = await self._client.fetch(self._account.signer, url)
            order = answer.json()
            status = order.get("status")
            if status == "valid":
                return await self._download(order)
            if status == "invalid":
                raise self._why_invalid(order)
            if status == "ready":
                await self._finalize(order)
            elif status == "pending" and not proved:
                await self._authorize(order)
                proved = True
                continue
            if self._means.now() >= end:
                raise AcmeError(
                    Kind.UNREACHABLE, f"{self._wish.name}: the CA is still deciding; the order stays", retry_after=60
                )
            pause = await self._pause(answer, pause)

    async def _pause(self, answer: Answer, pause: float) -> float:
        """Wait for the CA, as long as it says or a little longer each time; returns the next wait."""
        asked = answer.retry_after
        await self._means.sleep(pause if asked is None else min(max(asked, _FIRST_LOOK), 60.0))
        return min(pause * 1.6, _LONGEST_LOOK)

    def _why_invalid(self, order: Mapping[str, Any]) -> AcmeError:
        self._store.drop_order(self._wish.name)
        problem = order.get("error")
        found = problem if isinstance(problem, Mapping) else {}
        return error_of(400, found, None, self._wish.name, validation=True)

    # Authorizations

    async def _authorize(self, order: Mapping[str, Any]) -> None:
        """Prove every name; the proofs of several names are in place at the same time. Raises AcmeError."""
        urls = order.get("authorizations")
        if not isinstance(urls, list) or not urls:
            raise AcmeError(Kind.UNREACHABLE, f"{self._wish.name}: the CA's order has no authorizations")
        proofs: list[Proof] = []
        waiting: list[tuple[str, str]] = []
        try:
            for url in map(str, urls):
                await self._prove(url, proofs, waiting)
            for name, url in waiting:
                await self._wait_valid(name, url)
        finally:
            for proof in proofs:
                await self._withdraw(proof)

    async def _prove(self, url: str, proofs: list[Proof], waiting: list[tuple[str, str]]) -> None:
        answer = await self._client.fetch(self._account.signer, url)
        authorization = answer.json()
        status = authorization.get("status")
        name = self._name_of(authorization)
        if status == "valid":
            return
        if status != "pending":
            raise self._why_unproven(name, authorization)
        offered = authorization.get("challenges")
        challenges = [one for one in offered if isinstance(one, Mapping)] if isinstance(offered, list) else []
        started = [one for one in challenges if one.get("status") == "processing"]
        wish = self._wish
        proof = choose(name, started or challenges, wish.types, wish.turn, self._account.signer.key)
        proofs.append(proof)
        await present(self._store, proof, self._means.hook)
        await self._means.check(proof)
        if not started:
            await self._client.post(self._account.signer, proof.url, {})
        waiting.append((name, url))

    async def _wait_valid(self, name: str, url: str) -> None:
        end = self._means.now() + _TIMEOUT
        pause = _FIRST_LOOK
        while True:
            answer = await self._client.fetch(self._account.signer, url)
            authorization = answer.json()
            status = authorization.get("status")
            if status == "valid":
                return
            if status not in {"pending", "processing"}:
                raise self._why_unproven(name, authorization)
            if self._means.now() >= end:
                raise AcmeError(
                    Kind.UNREACHABLE, f"{name}: the CA has not checked the proof; the order stays", retry_after=60
                )
            pause = await self._pause(answer, pause)

    async def _withdraw(self, proof: Proof) -> None:
        try:
            await withdraw(self._store, proof, self._means.hook)
        except (AcmeError, OSError) as error:
            log.warning("%s: the proof could not be removed: %s", proof.name, error)

    def _name_of(self, authorization: Mapping[str, Any]) -> str:
        identifier = authorization.get("identifier")
        value = str(identifier.get("value", "")).lower() if isinstance(identifier, Mapping) else ""
        name = f"*.{value}" if authorization.get("wildcard") is True else value
        if name not in self._wish.names:
            raise AcmeError(Kind.UNREACHABLE, f"{self._wish.name}: the CA asks about {name!r}, which was not ordered")
        return name

    def _why_unproven(self, name: str, authorization: Mapping[str, Any]) -> AcmeError:
        self._store.drop_order(self._wish.name)
        challenges = authorization.get("challenges")
        for one in challenges if isinstance(challenges, list) else ():
            if isinstance(one, Mapping) and isinstance(one.get("error"), Mapping):
                return error_of(403, one["error"], None, f"{name} ({one.get('type')})", validation=True)
        return AcmeError(Kind.UNPROVEN, f"{name}: the CA calls the authorization {authorization.get('status')}")

    # The certificate

    async def _finalize(self, order: Mapping[str, Any]) -> None:
        csr = _csr(self._key(), self._wish.names)
        url = order.get("finalize")
        if not isinstance(url, str):
            raise AcmeError(Kind.UNREACHABLE, f"{self._wish.name}: the CA's order cannot be finalized")
        try:
            await self._client.post(self._account.signer, url, {"csr": b64(csr)})
        except AcmeError as error:
            if error.problem != "orderNotReady":  # it was finalized before a crash: its state is queried next
                raise

    async def _download(self, order: Mapping[str, Any]) -> None:
        url = order.get("certificate")
        if not isinstance(url, str):
            raise AcmeError(Kind.UNREACHABLE, f"{self._wish.name}: the CA's order is valid, but has no certificate")
        chain = (await self._client.fetch(self._account.signer, url)).body
        key = self._store.order_key(self._wish.name) or b""
        held = parse_held(key.rstrip(b"\n") + b"\n" + chain)
        if held is None or not held.names.issuperset(self._wish.names):
            raise AcmeError(Kind.REFUSED, f"{self._wish.name}: the CA gave a certificate that was not ordered")
        self._store.install(self._wish.name, key, chain)

    def _key(self) -> CertificateKey:
        pem = self._store.order_key(self._wish.name)
        try:
            key = load_pem_private_key(pem or b"", password=None)
        except ValueError as error:
            raise AcmeError(Kind.REFUSED, f"{self._wish.name}: the key of the order is missing") from error
        if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            raise AcmeError(Kind.REFUSED, f"{self._wish.name}: the key of the order has an unsupported type")
        return key


def _identifiers(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"type": "dns", "value": name} for name in names]


def _same_identifiers(found: object, wanted: list[dict[str, str]]) -> bool:
    if not isinstance(found, list):
        return False
    values = sorted(str(one.get("value")) for one in found if isinstance(one, Mapping))
    return values == sorted(one["value"] for one in wanted)


def _new_key(key_type: str) -> CertificateKey:
    if key_type == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: CertificateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _csr(key: CertificateKey, names: Sequence[str]) -> bytes:
    """The request in DER form; the names are in subjectAltName only (RFC 8555 section 7.4)."""
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.add_extension(alternatives, critical=False).sign(key, SHA256()).public_bytes(Encoding.DER)
