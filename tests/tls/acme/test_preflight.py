"""Whether a proof can be seen before the CA is asked to look."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lb.tls.acme import preflight
from lb.tls.acme.challenge import Proof
from lb.tls.acme.errors import AcmeError, Kind
from lb.tls.acme.preflight import Endpoint, Preflight

PROOF = Proof("http-01", "a.example", "token", "token.key", "")


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[Endpoint, list[bytes]]]:
    """A listener that answers one request after the other with these, the last one again and again."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers[min(len(asked), len(answers)) - 1])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield Endpoint(*server.sockets[0].getsockname()), asked


GOOD = b"HTTP/1.1 200 OK\r\n\r\ntoken.key\n"
BAD = b"HTTP/1.1 404 Not Found\r\n\r\nno"


# spec: T5
async def test_a_proof_that_is_seen() -> None:
    async with answering(GOOD) as (endpoint, asked):
        await Preflight([endpoint], []).check(PROOF)
    assert asked[0].startswith(b"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: a.example\r\n")


# spec: T5
async def test_workers_may_take_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_STEP", 0.0)
    async with answering(BAD, BAD, GOOD) as (endpoint, asked):
        await Preflight([endpoint], []).check(PROOF)
    assert len(asked) == 3


# spec: E3
async def test_one_that_is_not_seen_costs_no_failure_with_the_ca(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_TIMEOUT", 0.3)
    async with answering(BAD) as (endpoint, _):
        with pytest.raises(AcmeError, match=r"it answers 'HTTP/1\.1 404 Not Found'") as caught:
            await Preflight([endpoint], []).check(PROOF)
    assert caught.value.kind is Kind.HERE


@pytest.mark.parametrize(("kind", "key"), [("http-01", "listen.http"), ("tls-alpn-01", "listen.https")])
async def test_without_a_listener_it_is_said_which(kind: str, key: str) -> None:
    with pytest.raises(AcmeError, match=f"needs {key}"):
        await Preflight([], []).check(Proof(kind, "a.example", "t", "t.k", ""))  # type: ignore[arg-type]


async def test_a_record_in_the_dns_is_not_ours_to_see() -> None:
    await Preflight([], []).check(Proof("dns-01", "a.example", "t", "t.k", ""))


async def test_what_the_dns_says_is_only_a_warning_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "lb.certificates")
    reach = Preflight([], [])
    proof = Proof("http-01", "name.invalid", "token", "token.key", "")
    await reach.warn(proof)
    await reach.warn(proof)
    assert len(caplog.messages) == 1
    assert "the DNS has no address for it" in caplog.messages[0]
