"""ACME renewal information: when the CA wants a certificate to be renewed (RFC 9773).

This file knows the resource and its answer. It does not know how the window is used: that is policy.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lb.tls.acme.client import AcmeClient
from lb.tls.acme.errors import AcmeError, Kind, said_by_ca
from lb.tls.acme.policy import DAY, HOUR, MINUTE, Window

_UNSAID = 6 * HOUR  # section 4.3.2: without a usable Retry-After
_SOONEST, _LATEST = MINUTE, DAY  # section 4.3: bounds on a Retry-After


@dataclass(frozen=True, slots=True)
class Renewal:
    """The CA's answer about the certificate `ari`; `next_look` is when it may be asked again.

    `window` is None if there was none; `explanation` is a page for people, "" if there is none.
    """

    ari: str
    window: Window | None
    explanation: str
    next_look: float


async def ask(client: AcmeClient, ari: str, now: float, before: Renewal | None) -> Renewal | None:
    """The CA's suggestion; None if this CA has none at all. If it does not answer, its last one stays valid."""
    base = await client.resource("renewalInfo")
    if not base:
        return None
    kept = before if before is not None and before.ari == ari else Renewal(ari, None, "", now)
    try:
        answer = await client.get(f"{base.rstrip('/')}/{ari}")
        found = answer.json()
    except AcmeError as error:
        wait = error.retry_after if error.kind is Kind.BUSY and error.retry_after else _UNSAID
        return Renewal(ari, kept.window, kept.explanation, now + _bounded(wait))
    page = found.get("explanationURL")
    wait = _UNSAID if answer.retry_after is None else answer.retry_after
    explanation = said_by_ca(page) if isinstance(page, str) else ""
    return Renewal(ari, _window(found), explanation, now + _bounded(wait))


def _bounded(wait: float) -> float:
    return min(max(wait, _SOONEST), _LATEST)


def _window(found: Mapping[str, Any]) -> Window | None:
    suggested = found.get("suggestedWindow")
    if not isinstance(suggested, Mapping):
        return None
    start, end = (_time(suggested.get(key)) for key in ("start", "end"))
    return Window(start, end) if start is not None and end is not None and start < end else None


def _time(value: object) -> float | None:
    """Seconds since the epoch of an RFC 3339 time."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
