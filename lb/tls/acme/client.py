"""The requests of ACME: directory, nonces, signed POSTs, and errors as text (RFC 8555 sections 6 and 7.1).

This file knows HTTP and JSON. It does not know accounts or orders: its callers decide what is requested, and when.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from lb import __version__
from lb.config.acme import AcmeServer
from lb.config.regular import read_regular
from lb.tls.acme.errors import URN, AcmeError, Kind, error_of
from lb.tls.acme.jws import Key, public_jwk, sign

_NONCE_ATTEMPTS = 12  # with a CA that rejects every fifth nonce, all fail once in a hundred million times
_NONCES_KEPT = 16
_LARGEST = 1 << 20  # bytes of an answer; certificates have a few KiB
_TIMEOUT = aiohttp.ClientTimeout(total=45, sock_connect=15)
_DIRECTORY_HOLDS = 3600.0  # seconds
_HEADERS = {"User-Agent": f"lb/{__version__}", "Accept-Language": "en"}


@dataclass(frozen=True, slots=True)
class Answer:
    """`retry_after` in seconds, None if the server sent none."""

    status: int
    url: str
    location: str
    retry_after: float | None
    links: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as an object. Raises AcmeError."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise AcmeError(Kind.UNREACHABLE, f"{host_of(self.url)} did not answer with a JSON object")
        return value

    def text(self, key: str) -> str:
        """A string of the object. Raises AcmeError."""
        value = self.json().get(key)
        if not isinstance(value, str):
            raise AcmeError(Kind.UNREACHABLE, f"{host_of(self.url)} answered without {key!r}")
        return value


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests: with an account's key and URL, or the key alone while there is no account."""

    key: Key
    kid: str | None = None

    def header(self) -> dict[str, Any]:
        return {"jwk": public_jwk(self.key)} if self.kid is None else {"kid": self.kid}


class AcmeClient:
    """One CA. Every method raises AcmeError and nothing else, except for cancellation."""

    def __init__(
        self, session: aiohttp.ClientSession, server: AcmeServer, now: Callable[[], float] = time.time
    ) -> None:
        self.server = server
        self.host = host_of(server.directory)
        self.skew = 0.0
        """Seconds by which the CA's clock is ahead of ours, by its last answer."""
        self.turn = asyncio.Lock()
        """For operations on the account that must not run at the same time."""
        self._now = now
        self._session = session
        self._ssl = _trust(server)
        self._nonces: list[str] = []
        self._directory: dict[str, Any] = {}
        self._directory_until = 0.0

    async def directory(self) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        if now >= self._directory_until:
            found = (await self.get(self.server.directory)).json()
            missing = [name for name in ("newNonce", "newAccount", "newOrder") if not isinstance(found.get(name), str)]
            if missing:
                raise AcmeError(
                    Kind.UNREACHABLE, f"{self.server.directory} is not an ACME directory: {missing[0]} is missing"
                )
            self._directory, self._directory_until = found, now + _DIRECTORY_HOLDS
        return self._directory

    async def meta(self) -> dict[str, Any]:
        """What the CA says about itself."""
        meta = (await self.directory()).get("meta")
        return meta if isinstance(meta, dict) else {}

    async def resource(self, name: str) -> str:
        """The URL of a resource of the directory; "" if the CA does not have it."""
        url = (await self.directory()).get(name)
        return url if isinstance(url, str) else ""

    async def get(self, url: str) -> Answer:
        """An unsigned request: the directory and renewal information."""
        answer = await self._request("GET", url)
        self._refuse(answer, url)
        return answer

    async def fetch(self, signer: Signer, url: str) -> Answer:
        """POST-as-GET (RFC 8555 section 6.3)."""
        return await self.post(signer, url, None)

    async def post(self, signer: Signer, url: str, payload: object) -> Answer:
        """A signed request; it is repeated while the CA only asks for another nonce."""
        for _ in range(_NONCE_ATTEMPTS):
            nonce = await self._nonce()
            body = sign(signer.key, {**signer.header(), "nonce": nonce, "url": url}, payload)
            answer = await self._request("POST", url, body)
            if answer.status == 400 and _problem(answer).get("type") == URN + "badNonce":
                continue
            self._refuse(answer, url)
            return answer
        raise AcmeError(Kind.UNREACHABLE, f"{self.host} rejects every nonce", of_the_ca=True)

    def _refuse(self, answer: Answer, url: str) -> None:
        """Raise the AcmeError for a bad status."""
        if answer.status in (200, 201, 204):
            return
        if 300 <= answer.status < 400:
            raise AcmeError(Kind.UNREACHABLE, f"{host_of(url)} redirects, which ACME does not allow")
        raise error_of(answer.status, _problem(answer), answer.retry_after, self.host)

    async def _nonce(self) -> str:
        if not self._nonces:
            answer = await self._request("HEAD", await self.resource("newNonce"))
            if not self._nonces:
                self._refuse(answer, answer.url)
                raise AcmeError(Kind.UNREACHABLE, f"{self.host} gives no nonce", of_the_ca=True)
        return self._nonces.pop()

    async def _request(self, method: str, url: str, body: object = None) -> Answer:
        headers = _HEADERS if body is None else {**_HEADERS, "Content-Type": "application/jose+json"}
        data = None if body is None else json.dumps(body).encode()
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, ssl=self._ssl, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                content = b""
                while len(content) <= _LARGEST and (more := await response.content.read(_LARGEST)):
                    content += more
                self._remember(response.headers)
                return _answer(response, url, content)
        except aiohttp.ClientConnectorCertificateError as error:
            said = f"{host_of(url)}: its certificate is not trusted: {reason_of(error.certificate_error)}"
            if self._ssl is True:
                said += "; for a private CA set ca_file; a wrong clock here can be the reason, too"
            raise AcmeError(Kind.UNREACHABLE, said, of_the_ca=True) from error
        except TimeoutError as error:
            raise AcmeError(Kind.UNREACHABLE, f"{host_of(url)} did not answer in time", of_the_ca=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            said = f"{host_of(url)} cannot be reached: {reason_of(error)}"
            raise AcmeError(Kind.UNREACHABLE, said, of_the_ca=True) from error

    def _remember(self, headers: Mapping[str, str]) -> None:
        nonce = headers.get("Replay-Nonce")
        if nonce and len(self._nonces) < _NONCES_KEPT:
            self._nonces.append(nonce)
        date = _http_date(headers.get("Date", ""))
        if date is not None:
            self.skew = date.timestamp() - self._now()


def host_of(url: str) -> str:
    """Host and port of a URL, for messages."""
    return urlsplit(url).netloc


def _trust(server: AcmeServer) -> ssl.SSLContext | bool:
    """The trust for the CA's HTTPS server. Raises AcmeError."""
    if server.ca_file is None:
        return True
    try:
        # Anything that is not ASCII is outside of the certificates.
        return ssl.create_default_context(cadata=read_regular(server.ca_file).decode("ascii", "ignore"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no certificate in PEM form"
        raise AcmeError(Kind.HERE, f"tls.acme.ca_file {server.ca_file}: {reason}", of_the_ca=True) from error


def _answer(response: aiohttp.ClientResponse, url: str, content: bytes) -> Answer:
    links = {relation: str(link["url"]) for relation, link in response.links.items() if "url" in link}
    location = response.headers.get("Location", "")
    if location:
        location = str(response.url.join(type(response.url)(location)))
    if len(content) > _LARGEST:
        raise AcmeError(Kind.UNREACHABLE, f"{host_of(url)} answered with more than {_LARGEST >> 20} MiB")
    return Answer(response.status, url, location, retry_after(response.headers.get("Retry-After")), links, content)


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After field: a number or a date (RFC 9110 section 10.2.3); None for anything else."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal():
        return float(value[:12])
    date = _http_date(value)
    return None if date is None else max(0.0, (date - datetime.now(UTC)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, IndexError):
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def _problem(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def reason_of(error: BaseException) -> str:
    """The shortest text that gives the reason, on one line."""
    text = getattr(error, "strerror", None) or getattr(error, "verify_message", None) or str(error)
    return " ".join(str(text or type(error).__name__).split())
