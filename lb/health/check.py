"""One health check: a request to an instance over a connection of its own, and the outcome in words.

Redirects are not followed, and the body is not judged: only the status counts. The body is read for a moment and
discarded, so that an instance that is still sending its page does not see the connection close.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from lb.errors import ProxyError, looks_like_tls
from lb.health.connection import PLAIN, Address, CheckConnection, Reach
from lb.http.head import Limits, ResponseHead
from lb.http.scan import scan_response

_LIMITS = Limits(8 << 10, 64 << 10, 1000)
_LARGEST_BODY = 64 << 10  # bytes of a response's body that are read
_BODY_TIMEOUT = 0.5  # seconds that they may take


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is requested, and which responses pass. With several `uris`, one that passes is enough.

    `fields` are the header fields, each with its line end, including Host, whose value is `host`; `statuses` look like
    `200` or `2xx`; `timeout` in seconds is for each URI. `reach` says how the instance is reached.
    """

    family: int
    address: Address
    uris: tuple[str, ...]
    fields: bytes
    statuses: tuple[str, ...]
    timeout: float
    host: str = ""
    reach: Reach = PLAIN


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """Whether a check has passed, why in words, and which URI passed. `status` is that of a response that failed the
    check, 0 if there was none, and `remedy` says what to do about it.
    """

    passed: bool
    words: str
    uri: str = ""
    status: int = 0
    remedy: str = ""


class _NoAnswerError(Exception):
    """There was no response; the text says why."""


async def ask(question: CheckRequest, first: str = "") -> CheckOutcome:
    """Requests each URI, beginning with `first`, until one passes."""
    refused: dict[str, int] = {}
    for uri in sorted(question.uris, key=lambda uri: uri != first):
        try:
            status = await _status(question, uri)
        except _NoAnswerError as error:
            return CheckOutcome(False, str(error))  # a second request would fail the same way
        words = f"GET {uri} answered {status}"
        if str(status) in question.statuses or f"{status // 100}xx" in question.statuses:
            return CheckOutcome(True, words, uri)
        refused[words] = status
    # An app need not have every URI.
    known = {words: status for words, status in refused.items() if status != 404} or refused
    words, status = ", ".join(known), next(iter(known.values()))
    if question.host:
        words += f" (Host: {question.host})"
    return CheckOutcome(False, words, status=status, remedy=_remedy(status, question))


def _remedy(status: int, question: CheckRequest) -> str:
    """What to do about a bad status: fix the app, or set the key for another path or other statuses."""
    passing = ", ".join((*question.statuses, str(status)))
    keys = f"set health_uri to a path that answers 2xx, or health_status: [{passing}]"
    if status in (400, 421):
        return f"let the app accept this Host, {keys}"
    return f"fix the app, {keys}" if status >= 500 else keys


async def _status(question: CheckRequest, uri: str) -> int:
    where = "no connection"
    connection = CheckConnection(question.reach)
    with closing(connection):
        try:
            async with asyncio.timeout(question.timeout):
                await connection.connect(question.family, question.address)
                where = f"GET {uri} was not answered"
                await connection.send(b"GET " + uri.encode() + b" HTTP/1.1\r\n" + question.fields + b"\r\n")
                head, size = await _final_head(connection, uri)
        except TimeoutError:
            raise _NoAnswerError(f"{where} within {question.timeout:g} s") from None
        except OSError as error:
            raise _NoAnswerError(f"GET {uri} failed: {_reason(error, question.address)}") from None
        await _take_body(connection, size)
        return head.status


def _reason(error: OSError, address: Address) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the instance's certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if error.errno == errno.ECONNREFUSED and isinstance(address, str) and not Path(address).is_socket():
        return "the path is not a socket"
    return os.strerror(error.errno).lower() if error.errno else str(error)


async def _final_head(connection: CheckConnection, uri: str) -> tuple[ResponseHead, int]:
    """The head of the final response, and how many bytes of its body arrived with it."""
    data = b""
    while True:
        try:
            head = scan_response(data, _LIMITS)
        except ProxyError:
            how = "answered in TLS instead of plain HTTP" if looks_like_tls(data) else "not answered in HTTP"
            raise _NoAnswerError(f"GET {uri} was {how}") from None
        if head is not None and head.status >= 200:
            return head, len(data) - head.length
        if head is not None:
            data = data[head.length :]  # an interim response
            continue
        piece = await connection.receive()
        if not piece:
            raise _NoAnswerError(f"GET {uri}: the connection ended before the response")
        data += piece


async def _take_body(connection: CheckConnection, size: int) -> None:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_BODY_TIMEOUT):
            while size < _LARGEST_BODY and (piece := await connection.receive()):
                size += len(piece)
