"""Session-ticket keys: rotated for all processes, without a client noticing."""

from __future__ import annotations

import gc
import os
import ssl
from pathlib import Path

import pytest
import trustme

from lb.tls.handshake import tickets as tickets_module
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.openssl import context_pointer, reach
from lb.tls.handshake.tickets import LIFETIME, Tickets
from tests.tls.certificate_files import issue
from tests.tls.handshakes import client_context, say, shake

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
TICKET_LIFETIME = 7200.0  # OpenSSL's own

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def contexts(tmp_path: Path, clock: Clock) -> Contexts:
    made = Contexts([issue(trustme.CA(), tmp_path, "a.example")])
    made.tickets = Tickets(made.front, clock)
    return made


def visit(contexts: Contexts, client: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession]:
    """One connection: whether it was resumed, and the session to go on with."""
    pair = shake(contexts, client, "a.example", session)
    say(pair.server, pair.client, b"a ticket comes before this")
    assert pair.client.session_reused == pair.server.session_reused
    assert pair.client.session is not None
    return bool(pair.client.session_reused), pair.client.session


def rotate(contexts: Contexts) -> None:
    contexts.tickets.rotate()
    contexts.tickets.follow()
    gc.collect()  # what OpenSSL points to must live on


# spec: T4
@VERSIONS
def test_a_ticket_of_the_key_before_resumes_and_is_replaced(contexts: Contexts, version: ssl.TLSVersion) -> None:
    client = client_context(None, version)
    _, session = visit(contexts, client, None)
    rotate(contexts)
    resumed, new = visit(contexts, client, session)
    assert resumed
    rotate(contexts)  # the first key is gone now; the new ticket has the second one
    assert visit(contexts, client, new)[0]
    assert not visit(contexts, client, session)[0]


# spec: T4
@VERSIONS
def test_what_is_made_while_two_keys_are_good_is_good_when_one_is(
    contexts: Contexts, clock: Clock, version: ssl.TLSVersion
) -> None:
    client = client_context(None, version)
    rotate(contexts)
    _, session = visit(contexts, client, None)
    clock.now += TICKET_LIFETIME
    visit(contexts, client, None)  # this one ends the asking
    resumed, session = visit(contexts, client, session)
    assert resumed
    assert visit(contexts, client, session)[0]


# spec: T4
@VERSIONS
def test_the_key_before_is_forgotten_with_its_last_ticket(
    contexts: Contexts, clock: Clock, version: ssl.TLSVersion
) -> None:
    client = client_context(None, version)
    _, session = visit(contexts, client, None)
    rotate(contexts)
    clock.now += TICKET_LIFETIME
    visit(contexts, client, None)
    assert not visit(contexts, client, session)[0]


# spec: T4
def test_a_process_that_follows_late_uses_what_is_good_by_then(contexts: Contexts, clock: Clock) -> None:
    client = client_context()
    _, session = visit(contexts, client, None)
    contexts.tickets.rotate()
    assert visit(contexts, client, session)[0]  # it has not followed yet
    clock.now += TICKET_LIFETIME
    contexts.tickets.follow()
    assert not visit(contexts, client, session)[0]


# spec: T4
def test_a_switch_of_certificates_brings_the_keys_along(contexts: Contexts) -> None:
    client = client_context()
    contexts.tickets.rotate()
    contexts.tickets.rotate()
    _, session = visit(contexts, client, None)
    contexts.switch(contexts.presented)
    assert not visit(contexts, client, session)[0]


# spec: T4
def test_all_processes_have_the_same_keys(contexts: Contexts) -> None:
    rotate(contexts)
    child = os.fork()
    if not child:
        try:
            contexts.tickets.rotate()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    here = contexts.tickets._read()
    assert here.generation == 6
    before = bytes(here.current)
    contexts.tickets.rotate()
    assert contexts.tickets._read().previous == before


def test_a_new_key_is_due_after_a_lifetime(contexts: Contexts, clock: Clock) -> None:
    assert contexts.tickets.due() == LIFETIME
    clock.now += LIFETIME + 1
    assert contexts.tickets.due() == -1
    contexts.tickets.rotate()
    assert contexts.tickets.due() == LIFETIME


def test_keys_that_are_being_written_are_left_alone_and_a_writer_that_died_is_recovered_from(
    contexts: Contexts,
) -> None:
    client = client_context()
    _, session = visit(contexts, client, None)
    tickets = contexts.tickets
    tickets._shared[:8] = (5).to_bytes(8, "little")
    tickets.follow()
    assert visit(contexts, client, session)[0]
    tickets.rotate()
    assert tickets._read().generation == 6


# spec: T4
def test_without_openssl_the_first_key_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tickets_module, "reach", lambda: None)
    contexts = Contexts([issue(trustme.CA(), tmp_path, "a.example")])
    assert not contexts.tickets.can_rotate
    client = client_context()
    _, session = visit(contexts, client, None)
    contexts.switch(contexts.presented)
    assert visit(contexts, client, session)[0]


def test_a_ticket_lives_as_long_as_these_tests_think(contexts: Contexts) -> None:
    openssl = reach()
    assert openssl is not None
    assert openssl.SSL_CTX_get_timeout(context_pointer(contexts.front)) == TICKET_LIFETIME


def test_a_successor_goes_on_with_the_keys(contexts: Contexts, clock: Clock, tmp_path: Path) -> None:
    client = client_context()
    _, old = visit(contexts, client, None)
    contexts.tickets.rotate()
    contexts.tickets.follow()
    _, new = visit(contexts, client, None)
    successor = Contexts([issue(trustme.CA(), tmp_path, "a.example")])
    successor.tickets = Tickets(successor.front, clock)
    successor.tickets.inherit(contexts.tickets.bequest())
    assert successor.tickets.due() == contexts.tickets.due()
    for session in (old, new):
        assert visit(successor, client, session)[0]
    successor.tickets.rotate()
    successor.tickets.follow()
    assert visit(successor, client, new)[0]


@pytest.mark.parametrize("bequest", [b"", b"x", bytes(176), bytes(168)])
def test_keys_of_another_version_are_passed_over(contexts: Contexts, bequest: bytes) -> None:
    before = contexts.tickets.bequest()
    contexts.tickets.inherit(bequest)
    assert contexts.tickets.bequest() == before
