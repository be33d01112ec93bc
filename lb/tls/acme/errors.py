"""What can go wrong while a certificate is obtained: as text for an operator, and with what decides the next attempt.

This file knows the problem types of RFC 8555 section 6.7 and what they mean for the next attempt. It does not know when
that attempt is: that is policy.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

URN = "urn:ietf:params:acme:error:"
_LONGEST_DETAIL = 500  # characters of a CA's own words
_LONGEST_MESSAGE = 2000  # characters of a whole message, details included


class Kind(StrEnum):
    """Which side has to fix it."""

    UNREACHABLE = "unreachable"
    """The CA gives no usable answer: nothing was counted against us."""
    BUSY = "busy"
    """The CA has said when to come back, or that requests were too frequent."""
    UNPROVEN = "unproven"
    """The CA could not see the proof that a name is ours: it counts such failures."""
    REFUSED = "refused"
    """The CA refuses, for a reason that the operator must fix."""
    HERE = "here"
    """Something on our side failed: the hook command, the disk, our listener."""


class AcmeError(Exception):
    """A failed step. `retry_after` is the CA's Retry-After in seconds; `problem` its problem type without the URN.

    `of_the_ca` says that it would have happened with every other name, too.
    """

    def __init__(
        self, kind: Kind, message: str, *, retry_after: float | None = None, problem: str = "", of_the_ca: bool = False
    ) -> None:
        message = said_by_ca(message, _LONGEST_MESSAGE)  # parts of it may come from a server
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.problem = problem
        self.of_the_ca = of_the_ca


_KINDS = {
    "serverInternal": Kind.UNREACHABLE,
    "badNonce": Kind.UNREACHABLE,
    "rateLimited": Kind.BUSY,
    "connection": Kind.UNPROVEN,
    "dns": Kind.UNPROVEN,
    "incorrectResponse": Kind.UNPROVEN,
    "tls": Kind.UNPROVEN,
    "unauthorized": Kind.UNPROVEN,
}

_MEANINGS = {
    "caa": "the name's CAA record in the DNS forbids this CA",
    "connection": "the CA could not connect to the name's address",
    "dns": "the CA found no usable address for the name in the DNS",
    "externalAccountRequired": "the CA requires an external account: see tls.acme.eab",
    "incorrectResponse": "the CA got an answer that is not ours",
    "invalidContact": "the CA does not accept the e-mail address",
    "invalidProfile": "the CA has no such profile",
    "rateLimited": "the CA's rate limit was reached",
    "rejectedIdentifier": "the CA issues no certificates for this name",
    "serverInternal": "the CA had an internal error",
    "tls": "the CA could not speak TLS with the name's address",
    "unauthorized": "the CA got an answer that is not ours",
    "unsupportedContact": "the CA does not accept the e-mail address",
    "userActionRequired": "the CA requires a visit to its website",
}


def error_of(
    status: int, problem: Mapping[str, Any], retry_after: float | None, where: str, *, validation: bool = False
) -> AcmeError:
    """The error for a problem document (RFC 7807). `validation`: it is about a proof, not about a request."""
    name = str(problem.get("type", "")).removeprefix(URN)
    kind = _KINDS.get(name, Kind.REFUSED)
    if kind is Kind.UNPROVEN and not validation:
        kind = Kind.REFUSED
    if not validation and not name and status >= 500:
        kind = Kind.UNREACHABLE
    if not validation and (status == 429 or (status == 503 and retry_after is not None)):
        kind = Kind.BUSY
    said = _MEANINGS.get(name, f"the CA refused ({said_by_ca(name) or status})")
    details = _details(problem)
    message = f"{where}: {said}: {details}" if details else f"{where}: {said}"
    of_the_ca = kind is Kind.UNREACHABLE or (kind is Kind.BUSY and name != "rateLimited")
    return AcmeError(kind, message, retry_after=retry_after, problem=name, of_the_ca=of_the_ca)


def _details(problem: Mapping[str, Any]) -> str:
    """The CA's own words, including those about single names, on one line."""
    parts = [str(problem.get("detail", ""))]
    inner = problem.get("subproblems", ())
    for one in inner if isinstance(inner, Sequence) and not isinstance(inner, str) else ():
        if isinstance(one, Mapping):
            identifier = one.get("identifier")
            name = identifier.get("value", "") if isinstance(identifier, Mapping) else ""
            parts.append(f"{name}: {one.get('detail', '')}")
    return said_by_ca("; ".join(part for part in parts if part))


def said_by_ca(text: object, longest: int = _LONGEST_DETAIL) -> str:
    """Text from a CA, a sentence or a URL, in a form for the log: printable, on one line, and not long."""
    line = " ".join(str(text).split())
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return shown if len(shown) <= longest else shown[:longest] + "…"
