"""Whether a proof is visible before the CA is asked to check: on our own listeners, and where the DNS points.

This file knows sockets, a little HTTP and a TLS handshake. If our own listeners do not answer, no CA will see the
proof: that is an error, found without using up one of the failures that a CA allows. The DNS yields only a warning: the
way back to our own address may lead through a box that does not support it from inside.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from lb.tls.acme.challenge import ALPN, Proof
from lb.tls.acme.errors import AcmeError, Kind

log = logging.getLogger("lb.certificates")

_PATH = "/.well-known/acme-challenge/"
_TIMEOUT = 10.0  # seconds for our own listener: workers may still be starting
_STEP = 0.2
_ONE_LOOK = 5.0  # seconds
_LARGEST = 65536
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  compared with, not bound


class Endpoint(NamedTuple):
    """The address of one of our listeners."""

    host: str
    port: int


class Preflight:
    """`http` and `https` are the listeners of this service."""

    def __init__(self, http: Sequence[Endpoint], https: Sequence[Endpoint]) -> None:
        self._http = [_near(one) for one in http]
        self._https = [_near(one) for one in https]
        self._said: dict[str, str] = {}

    async def check(self, proof: Proof) -> None:
        """Raise AcmeError if our own listener does not show the proof."""
        if proof.type == "dns-01":
            return
        endpoints = self._http if proof.type == "http-01" else self._https
        if not endpoints:
            key = "listen.http" if proof.type == "http-01" else "listen.https"
            raise AcmeError(Kind.HERE, f"{proof.name}: {proof.type} needs {key}")
        reason = "no answer"
        with suppress(TimeoutError):
            async with asyncio.timeout(_TIMEOUT):
                while reason := await self._look(proof, endpoints[0]):  # noqa: ASYNC110  a worker cannot notify us
                    await asyncio.sleep(_STEP)
        if reason:
            where = f"{endpoints[0].host}:{endpoints[0].port}"
            raise AcmeError(
                Kind.HERE, f"{proof.name}: our own listener {where} does not show the {proof.type} proof: {reason}"
            )

    async def _look(self, proof: Proof, endpoint: Endpoint) -> str:
        """Why the proof is not visible there; "" if it is."""
        try:
            async with asyncio.timeout(_ONE_LOOK):
                if proof.type == "http-01":
                    return await _see_http(proof, endpoint)
                return await _see_alpn(proof, endpoint)
        except TimeoutError:
            return "no answer in time"
        except (OSError, ValueError) as error:
            return " ".join(str(getattr(error, "strerror", None) or error).split())

    async def warn(self, proof: Proof) -> None:
        """Log where the DNS points, if that is not to us; each message is logged once."""
        said = "" if proof.type == "dns-01" else await self._outside(proof)
        if said and self._said.get(proof.name) != said:
            log.warning("%s: %s", proof.name, said)
        self._said[proof.name] = said

    async def _outside(self, proof: Proof) -> str:
        port = 80 if proof.type == "http-01" else 443
        try:
            async with asyncio.timeout(_ONE_LOOK):
                found = await asyncio.get_running_loop().getaddrinfo(proof.name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "no answer in time"
            return f"the DNS has no address for it, as seen from here ({reason}); the CA will look there"
        address = Endpoint(*found[0][4][:2])
        reason = await self._look(proof, address)
        if not reason:
            return ""
        where = f"{address.host} port {address.port}"
        return f"the DNS leads to {where}, where this lb was not found: {reason}; the CA will look there"


def _near(endpoint: Endpoint) -> Endpoint:
    """The address to connect to for a listener on every address."""
    return Endpoint(_ANY.get(endpoint.host, endpoint.host), endpoint.port)


async def _see_http(proof: Proof, endpoint: Endpoint) -> str:
    reader, writer = await asyncio.open_connection(*endpoint)
    try:
        lines = (
            f"GET {_PATH}{proof.token} HTTP/1.1",
            f"Host: {proof.name}",
            "Connection: close",
            "Accept: */*",
            "User-Agent: lb",
        )
        writer.write("\r\n".join((*lines, "", "")).encode())
        data = b""
        while len(data) <= _LARGEST and (more := await reader.read(_LARGEST)):
            data += more
    finally:
        writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    if body.strip() == proof.authorization.encode():
        return ""
    first = head.split(b"\r\n", 1)[0][:80].decode("latin-1")
    return f"it answers {first!r}" if first else "it closes the connection"


async def _see_alpn(proof: Proof, endpoint: Endpoint) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is self-signed: what counts is the digest inside
    context.set_alpn_protocols([ALPN])
    _, writer = await asyncio.open_connection(*endpoint, ssl=context, server_hostname=proof.name)
    try:
        connection = writer.get_extra_info("ssl_object")
        certificate = connection.getpeercert(binary_form=True) or b""
        if connection.selected_alpn_protocol() != ALPN or proof.digest not in certificate:
            return "it presents another certificate"
        return ""
    finally:
        writer.transport.abort()
