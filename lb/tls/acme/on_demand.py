"""Certificates for names that come up in handshakes: the operator's endpoint decides which may have one.

This file knows that query, and how often it may be made. It does not know how a certificate is obtained, or where the
names come from; they come from anyone, so they are checked before anything else.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

import aiohttp

from lb.config.names import is_label, is_possible, wildcard_of
from lb.tls.acme.client import host_of, reason_of
from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.handshake.name_limiter import NameLimiter

_TIMEOUT = aiohttp.ClientTimeout(total=10)


class OnDemandPolicy:
    """`wildcards` are those under which names may have certificates of their own."""

    def __init__(self, session: aiohttp.ClientSession, url: str, wildcards: Collection[str]) -> None:
        self._session = session
        self._url = url
        self._wildcards = wildcards
        self._gate = NameLimiter(pause=30.0, rate=2.0, burst=20.0, most=10_000)

    def admits(self, name: str, now: float) -> bool:
        """Whether to query the endpoint for the name: it is one of ours, and was not queried just now."""
        is_name = is_possible(name) and all(map(is_label, name.split("."))) and "_" not in name
        return is_name and wildcard_of(name) in self._wildcards and self._gate.admits(name, now)

    async def may(self, name: str) -> bool:
        """Whether the endpoint answers 200. Raises AcmeError if it does not answer."""
        separator = "&" if "?" in self._url else "?"
        try:
            async with self._session.get(
                f"{self._url}{separator}domain={quote(name)}", timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else reason_of(error)
            raise AcmeError(Kind.HERE, f"{name}: {host_of(self._url)} cannot be asked: {reason}") from error
        if status >= 500:
            raise AcmeError(Kind.HERE, f"{name}: {host_of(self._url)} answers {status} when asked")
        return status == 200
