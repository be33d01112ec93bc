"""The reserved path of ACME challenges, which no app ever sees: clause T6."""

from __future__ import annotations

import pytest

from tests.e2e.harness.client import get, message
from tests.e2e.harness.scripts import Echo
from tests.e2e.harness.secure import AUTHORIZATION, TOKEN, Secure
from tests.e2e.harness.waiting import wait_for


@pytest.mark.parametrize("host", ["shop.example.com", "forced.example.com", "cdn.example.com", "uncovered.example.net"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_known_token_gets_its_key_authorization(secure: Secure, host: str, method: str) -> None:
    # spec: T6
    response = secure.door.ask(message(f"{method} /.well-known/acme-challenge/{TOKEN}", host=host))
    assert response.status == 200
    assert response.body == (b"" if method == "HEAD" else AUTHORIZATION.encode())
    assert response.one("content-length") == str(len(AUTHORIZATION)).encode()


def test_a_challenge_is_answered_over_https_too(secure: Secure) -> None:
    # spec: T6
    with secure.connect() as client:
        response = client.ask(get(f"/.well-known/acme-challenge/{TOKEN}?x=1"))
        assert (response.status, response.body) == (200, AUTHORIZATION.encode())


@pytest.mark.parametrize(
    "target",
    [
        "/.well-known/acme-challenge/unknown",
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/link",
        "/.well-known/acme-challenge/../outside",
        "/.well-known/acme-challenge/%2e%2e/outside",
        "/.well-known/acme-challenge/..%2foutside",
        "/.well-known/acme-challenge/.",
        "/.well-known/acme-challenge/a%00b",
        f"/.well-known/acme-challenge/{TOKEN}/",
        f"/.well-known/acme-challenge/x/../{TOKEN}x",
        "/.well-known/acme-challenge/" + "a" * 4000,
        "/%2ewell-known/acme-challenge/x",
        "/%2Ewell-known/acme-challenge/x",
        "/.well%2dknown/acme-challenge/x",
        "/.well-known/acme%2Dchallenge/x",
        "/.well-known/%61cme-challenge/x",
        "/.well-known%2facme-challenge/x",
        "/.well-known/acme-challenge%2Fx",
        "//.well-known/acme-challenge/x",
        "///.well-known/acme-challenge/x",
        "/.well-known//acme-challenge/x",
        "/.well-known/acme-challenge//x",
        "/./.well-known/acme-challenge/x",
        "/.well-known/./acme-challenge/x",
        "/%2e/.well-known/acme-challenge/x",
        "/a/../.well-known/acme-challenge/x",
        "/a/%2e%2e/.well-known/acme-challenge/x",
        "/a/..%2f.well-known/acme-challenge/x",
        "/.well-known/a/../acme-challenge/x",
        "/.well-known/acme-challenge/x/../y",
        "/../.well-known/acme-challenge/x",
        "/.well-known\\acme-challenge\\x",
        "/.well-known/acme-challenge%5cx",
        "http://shop.example.com/.well-known/acme-challenge/x",
        "http://shop.example.com//.well-known/%61cme-challenge/x",
    ],
)
def test_no_spelling_of_the_reserved_path_reaches_an_app(secure: Secure, target: str) -> None:
    # spec: T6; attacks 25 and 36
    before = len(secure.instance.requests)
    response = secure.door.ask(get(target))
    assert response.status == 404, response.body[:200]
    assert b"never to be seen" not in response.body
    wait_for(lambda: secure.instance.settled, "the instance to settle")
    assert len(secure.instance.requests) == before


@pytest.mark.parametrize(
    "target",
    [
        "/.well-known/security.txt",
        "/.well-known/acme-challenger",
        "/acme-challenge/x",
        "/x?/.well-known/acme-challenge/x",
    ],
)
def test_neighbours_of_the_reserved_path_do_reach_the_app(secure: Secure, target: str) -> None:
    # spec: T6
    assert Echo(secure.door.ask(get(target))).target == target


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_no_method_reaches_an_app_under_the_reserved_path(secure: Secure, method: str) -> None:
    # spec: T6
    before = len(secure.instance.requests)
    assert secure.door.ask(message(f"{method} /.well-known/acme-challenge/x")).status == 404
    assert len(secure.instance.requests) == before
