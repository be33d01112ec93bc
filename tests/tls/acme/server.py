"""A certificate authority for tests: RFC 8555 with ARI, profiles, `replaces` and external accounts, and every fault.

Written apart from the client: signatures, nonces and states are checked as a CA would, and nothing is taken from lb.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

URN = "urn:ietf:params:acme:error:"
DAY = 86400.0
Validator = Callable[[str, str, str, str], bool]  # type, name, token, key authorization


class Refusal(Exception):  # noqa: N818
    """A problem document."""

    def __init__(self, status: int, kind: str, detail: str = "", **fields: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.fields = status, kind, detail, fields


@dataclass
class Fault:
    """What happens to the next `times` requests for `resource` instead of an answer."""

    resource: str
    times: float
    action: Callable[[web.Request], Awaitable[web.StreamResponse]]
    after: bool = False  # the request is acted on, and only its answer is lost


@dataclass
class Order:
    number: int
    account: str
    names: list[str]
    profile: str | None
    replaces: str
    authorizations: list[str]
    status: str = "pending"
    certificate: str = ""
    looks: int = 0
    error: dict[str, Any] | None = None


@dataclass
class Authorization:
    number: str
    name: str
    wildcard: bool
    token: str
    status: str = "pending"
    challenge: str = ""
    error: dict[str, Any] | None = None


@dataclass
class FakeCa:
    """`now` is the CA's clock, `validate` looks at proofs. The rest is what may be changed while it runs."""

    now: Callable[[], float]
    validate: Validator = lambda *_: True
    lifetime: float = 90 * DAY
    profiles: dict[str, float] = field(default_factory=dict)  # name → lifetime
    windows: Callable[[x509.Certificate], tuple[float, float] | None] | None = None  # ARI
    renewal_retry_after: str = "21600"
    lists_orders: bool = True
    reuses_pending: bool = False
    bindings: dict[str, str] = field(default_factory=dict)
    offered: tuple[str, ...] = ("http-01", "tls-alpn-01", "dns-01")
    processing_looks: int = 0
    rejects_nonces: int = 0  # every n-th
    is_down: bool = False
    faults: list[Fault] = field(default_factory=list)
    limit: int | None = None  # orders that it takes

    def __post_init__(self) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.accounts: dict[str, dict[str, Any]] = {}
        self.orders: list[Order] = []
        self.authorizations: dict[str, Authorization] = {}
        self.certificates: dict[str, bytes] = {}
        self.leaves: dict[str, x509.Certificate] = {}
        self.replaced: set[str] = set()
        self.most_at_once = self._at_once = 0
        self._nonces: set[str] = set()
        self._count = itertools.count(1)
        self._checked = itertools.count(1)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._runner: web.AppRunner | None = None
        self.base = ""

    async def start(self) -> str:
        """Serves on a free port; the directory's URL."""
        app = web.Application()
        app.router.add_route("*", "/{resource}", self._serve)
        app.router.add_route("*", "/{resource}/{id}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}"
        return f"{self.base}/directory"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def count(self, resource: str) -> int:
        return sum(name == resource for name, _ in self.requests)

    # Faults

    def fail(
        self,
        resource: str,
        status: int,
        kind: str,
        detail: str = "no",
        *,
        times: float = 1,
        retry_after: str | None = None,
    ) -> None:
        async def action(_: web.Request) -> web.Response:
            return self._problem(Refusal(status, kind, detail), retry_after)

        self.faults.append(Fault(resource, times, action))

    def answer_raw(self, resource: str, body: bytes, status: int = 200, times: float = 1) -> None:
        async def action(_: web.Request) -> web.Response:
            return web.Response(status=status, body=body)

        self.faults.append(Fault(resource, times, action))

    def lose_answer(self, resource: str, times: float = 1) -> None:
        """The request is acted on, but the connection ends before the answer."""
        self.faults.append(Fault(resource, times, self._abort, after=True))

    def delay(self, resource: str, seconds: float, times: float = 1) -> None:
        async def action(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return await self._dispatch(request)

        self.faults.append(Fault(resource, times, action))

    async def _abort(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    # Requests

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        resource = request.match_info["resource"]
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.is_down:
                return await self._abort(request)
            fault = next((one for one in self.faults if one.resource == resource and one.times > 0), None)
            if fault is None:
                return await self._dispatch(request)
            fault.times -= 1
            if fault.after:
                await self._dispatch(request)
            return await fault.action(request)
        finally:
            self._at_once -= 1

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        resource, number = request.match_info["resource"], request.match_info.get("id", "")
        try:
            if resource in {"directory", "newNonce", "renewalInfo"}:
                self.requests.append((resource, number))
                unsigned: web.Response = getattr(self, f"_{resource}")(number)
                return unsigned
            account, payload, jwk = self._verify(json.loads(await request.text()), str(request.url))
            self.requests.append((resource, payload))
            signed: web.Response = getattr(self, f"_{resource}")(account, payload, number or jwk)
        except Refusal as refusal:
            return self._problem(refusal, None)
        return signed

    def _reply(self, value: object, status: int = 200, **headers: str) -> web.Response:
        nonce = _b64(f"nonce-{next(self._count)}".encode())
        self._nonces.add(nonce)
        date = format_datetime(datetime.fromtimestamp(self.now(), UTC), usegmt=True)
        fields = {name.replace("_", "-"): text for name, text in headers.items()}
        everything = {"Replay-Nonce": nonce, "Date": date, **fields}
        if isinstance(value, bytes):
            return web.Response(body=value, status=status, headers=everything)
        return web.json_response(value, status=status, headers=everything)

    def _problem(self, refusal: Refusal, retry_after: str | None) -> web.Response:
        body = {"type": URN + refusal.kind, "detail": refusal.detail, **refusal.fields}
        more = {} if retry_after is None else {"Retry_After": retry_after}
        return self._reply(body, refusal.status, **more)

    def _verify(self, jws: dict[str, str], url: str) -> tuple[str, Any, dict[str, str]]:
        """(account URL or "", payload, key) of a signed request that is as it has to be."""
        header, payload, jwk, account = self._open(jws, url)
        nonce = header.get("nonce")
        if nonce not in self._nonces or (self.rejects_nonces and next(self._checked) % self.rejects_nonces == 0):
            raise Refusal(400, "badNonce")
        self._nonces.discard(nonce)
        return account, payload, jwk

    def _open(self, jws: dict[str, str], url: str) -> tuple[dict[str, Any], Any, dict[str, str], str]:
        header = json.loads(_unb64(jws["protected"]))
        if header["url"] != url or header["alg"] != "ES256" or ("kid" in header) is ("jwk" in header):
            raise Refusal(400, "malformed", f"header {header} for {url}")
        account = header.get("kid", "")
        if account and account not in self.accounts:
            raise Refusal(400, "accountDoesNotExist")
        jwk = self.accounts[account]["jwk"] if account else header["jwk"]
        x, y = (int.from_bytes(_unb64(jwk[part]), "big") for part in "xy")
        raw = _unb64(jws["signature"])
        signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        try:
            key.verify(signature, f"{jws['protected']}.{jws['payload']}".encode(), ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise Refusal(400, "malformed", "signature") from None
        payload = json.loads(_unb64(jws["payload"])) if jws["payload"] else None
        return header, payload, jwk, account

    # Resources

    def _directory(self, _: str) -> web.Response:
        names = ["newNonce", "newAccount", "newOrder", "keyChange"] + ["renewalInfo"] * (self.windows is not None)
        meta: dict[str, Any] = {"termsOfService": "https://ca.example/terms"}
        if self.profiles:
            meta["profiles"] = dict.fromkeys(self.profiles, "a profile")
        if self.bindings:
            meta["externalAccountRequired"] = True
        return self._reply({**{name: f"{self.base}/{name}" for name in names}, "meta": meta})

    def _newNonce(self, _: str) -> web.Response:  # noqa: N802
        return self._reply(b"")

    def _newAccount(self, _: str, payload: Any, jwk: dict[str, str]) -> web.Response:  # noqa: N802
        known = next((url for url, one in self.accounts.items() if one["jwk"] == jwk), None)
        if known is not None:
            return self._reply(self._account_body(known), Location=known)
        if payload.get("onlyReturnExisting"):
            raise Refusal(400, "accountDoesNotExist")
        if payload.get("termsOfServiceAgreed") is not True:
            raise Refusal(403, "userActionRequired")
        if self.bindings:
            self._check_binding(payload.get("externalAccountBinding"), jwk)
        url = f"{self.base}/account/{next(self._count)}"
        self.accounts[url] = {"jwk": jwk, "contact": payload.get("contact")}
        return self._reply(self._account_body(url), 201, Location=url)

    def _check_binding(self, binding: dict[str, str] | None, jwk: dict[str, str]) -> None:
        if binding is None:
            raise Refusal(403, "externalAccountRequired")
        header = json.loads(_unb64(binding["protected"]))
        secret = _unb64(self.bindings.get(header["kid"], ""))
        wanted = hmac.digest(secret, f"{binding['protected']}.{binding['payload']}".encode(), hashlib.sha256)
        if (
            header["alg"] != "HS256"
            or header["url"] != f"{self.base}/newAccount"
            or json.loads(_unb64(binding["payload"])) != jwk
        ):
            raise Refusal(400, "malformed", "binding")
        if not hmac.compare_digest(wanted, _unb64(binding["signature"])):
            raise Refusal(403, "unauthorized", "binding")

    def _account_body(self, url: str) -> dict[str, Any]:
        body = {"status": "valid", "contact": self.accounts[url]["contact"]}
        return {**body, "orders": url.replace("/account/", "/orders/")} if self.lists_orders else body

    def _account(self, account: str, payload: Any, _: Any) -> web.Response:
        if payload is not None and "contact" in payload:
            self.accounts[account]["contact"] = payload["contact"]
        return self._reply(self._account_body(account))

    def _orders(self, account: str, _: Any, __: Any) -> web.Response:
        mine = [f"{self.base}/order/{one.number}" for one in self.orders if one.account == account]
        return self._reply({"orders": mine})

    def _keyChange(self, account: str, payload: Any, _: Any) -> web.Response:  # noqa: N802
        _, inner, jwk, _ = self._open(payload, f"{self.base}/keyChange")
        if inner["account"] != account or inner["oldKey"] != self.accounts[account]["jwk"]:
            raise Refusal(400, "malformed", "keyChange")
        self.accounts[account]["jwk"] = jwk
        return self._reply({})

    def _newOrder(self, account: str, payload: Any, _: Any) -> web.Response:  # noqa: N802
        names = [one["value"] for one in payload["identifiers"]]
        profile, replaces = payload.get("profile"), payload.get("replaces", "")
        if profile is not None and profile not in self.profiles:
            raise Refusal(400, "invalidProfile")
        if replaces in self.replaced:
            raise Refusal(409, "alreadyReplaced")
        if replaces and replaces not in self.leaves:
            raise Refusal(400, "malformed", "replaces")
        for one in self.orders if self.reuses_pending else ():
            if one.account == account and one.names == names and one.status in {"pending", "ready"}:
                return self._order_reply(one, 200)
        if self.limit is not None and len(self.orders) >= self.limit:
            raise Refusal(429, "rateLimited", "too many")
        if replaces:
            self.replaced.add(replaces)
        order = Order(next(self._count), account, names, profile, replaces, [])
        for name in names:
            number = str(next(self._count))
            plain = name.removeprefix("*.")
            token = _b64(hashlib.sha256(number.encode()).digest())
            self.authorizations[number] = Authorization(number, plain, name != plain, token)
            order.authorizations.append(number)
        self.orders.append(order)
        return self._order_reply(order, 201)

    def _order(self, _: str, __: Any, number: str) -> web.Response:
        order = self._find(number)
        if order.status == "processing":
            order.looks += 1
            if order.looks > self.processing_looks:
                order.status = "valid"
        return self._order_reply(order, 200)

    def _find(self, number: str) -> Order:
        for order in self.orders:
            if str(order.number) == number:
                return order
        raise Refusal(404, "malformed", "no such order")

    def _order_reply(self, order: Order, status: int) -> web.Response:
        states = [self.authorizations[one].status for one in order.authorizations]
        if order.status == "pending" and all(state == "valid" for state in states):
            order.status = "ready"
        if "invalid" in states:
            order.status = "invalid"
        body: dict[str, Any] = {
            "status": order.status,
            "identifiers": [{"type": "dns", "value": name} for name in order.names],
            "authorizations": [f"{self.base}/authorization/{one}" for one in order.authorizations],
            "finalize": f"{self.base}/finalize/{order.number}",
        }
        if order.status == "valid":
            body["certificate"] = order.certificate
        if order.error is not None:
            body["error"] = order.error
        return self._reply(body, status, Location=f"{self.base}/order/{order.number}")

    def _authorization(self, _: str, __: Any, number: str) -> web.Response:
        one = self.authorizations[number]
        types = ["dns-01"] if one.wildcard else self.offered
        body: dict[str, Any] = {
            "status": one.status,
            "identifier": {"type": "dns", "value": one.name},
            "challenges": [self._challenge_body(one, kind) for kind in types],
        }
        return self._reply({**body, "wildcard": True} if one.wildcard else body)

    def _challenge_body(self, one: Authorization, kind: str) -> dict[str, Any]:
        body = {"type": kind, "token": one.token, "url": f"{self.base}/challenge/{one.number}.{kind}"}
        is_taken = one.challenge == kind
        body["status"] = one.status if is_taken else "pending"
        return {**body, "error": one.error} if is_taken and one.error else body

    def _challenge(self, account: str, payload: Any, number: str) -> web.Response:
        if payload != {}:
            raise Refusal(400, "malformed", "payload of a challenge")
        key, _, kind = number.partition(".")
        one = self.authorizations[key]
        if one.status == "pending":
            one.challenge = kind
            jwk = json.dumps(self.accounts[account]["jwk"], sort_keys=True, separators=(",", ":"))
            authorization = f"{one.token}.{_b64(hashlib.sha256(jwk.encode()).digest())}"
            one.status = "valid" if self.validate(kind, one.name, one.token, authorization) else "invalid"
            if one.status == "invalid":
                one.error = {"type": URN + "incorrectResponse", "detail": f"saw something else at {one.name}"}
        return self._reply(self._challenge_body(one, kind))

    def _finalize(self, _: str, payload: Any, number: str) -> web.Response:
        order = self._find(number)
        if order.status != "ready":
            raise Refusal(403, "orderNotReady")
        csr = x509.load_der_x509_csr(_unb64(payload["csr"]))
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if not csr.is_signature_valid or sorted(names.get_values_for_type(x509.DNSName)) != sorted(order.names):
            raise Refusal(400, "badCSR")
        self._issue(order, csr)
        order.status = "processing" if self.processing_looks else "valid"
        return self._order_reply(order, 200)

    def _issue(self, order: Order, csr: x509.CertificateSigningRequest) -> None:
        lifetime = self.profiles[order.profile] if order.profile else self.lifetime
        start = int(self.now())
        authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Fake CA")])
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority)
            .public_key(csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(start, UTC))
            .not_valid_after(datetime.fromtimestamp(start + lifetime, UTC))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in order.names]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier), critical=False
            )
            .sign(self._key, SHA256())
        )
        number = str(next(self._count))
        order.certificate = f"{self.base}/certificate/{number}"
        self.certificates[number] = leaf.public_bytes(Encoding.PEM)
        self.leaves[self.ari_of(leaf)] = leaf

    def ari_of(self, leaf: x509.Certificate) -> str:
        serial = leaf.serial_number
        return f"{_b64(self._identifier.digest)}.{_b64(serial.to_bytes(serial.bit_length() // 8 + 1, 'big'))}"

    def _certificate(self, _: str, __: Any, number: str) -> web.Response:
        return self._reply(self.certificates[number])

    def _renewalInfo(self, number: str) -> web.Response:  # noqa: N802
        if number not in self.leaves:
            raise Refusal(404, "malformed")
        assert self.windows is not None
        window = self.windows(self.leaves[number])
        if window is None:
            raise Refusal(500, "serverInternal")
        start, end = (datetime.fromtimestamp(one, UTC).isoformat().replace("+00:00", "Z") for one in window)
        body = {"suggestedWindow": {"start": start, "end": end}, "explanationURL": "https://ca.example/why"}
        return self._reply(body, Retry_After=self.renewal_retry_after)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
