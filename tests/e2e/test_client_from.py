"""Behind a proxy that names the client (`client_from: forwarded`): fields, log, limits, guards; and HSTS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import Client, get
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.expect import forwarded
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo

NAMED = "named.example.com"
OWN = "own.example.com"
BOTH = "both.example.com"
FORCED = "forced.example.com"
STICKY = "sticky.example.com"
MOVED = "www.example.com"
HSTS = "Strict-Transport-Security"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[FrontDoor]:
    """127.0.0.0/8 are trusted proxies, ::1 is not; the app's domains are behind them, but for one."""
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        config: dict[str, Any] = {
            "listen": {"http": ["127.0.0.1:0", "[::1]:0"], "https": "127.0.0.1:0"},
            "workers": 1,
            "trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"],
            "tls": tls_config(authority.issue(NAMED, OWN, FORCED)),
            "apps": {
                "shop": {
                    "client_from": "forwarded",
                    "domains": [
                        NAMED,
                        {"name": OWN, "client_from": "connection", "hsts": True},
                        {"name": BOTH, "cdn": True},
                        {"name": FORCED, "force_https": True, "hsts": {"max_age": "2d", "subdomains": True}},
                        {"name": MOVED, "redirect": NAMED},
                    ],
                    "production": {"instances": [instance.address]},
                    "routes": [
                        {"path": "/office/", "allow": ["203.0.113.0/24"]},
                        {"path": "/seldom", "limits": {"client_rate": "2/h"}},
                        {"path": "/own-hsts", "headers": {"response": {"set": {HSTS: "max-age=1"}}}},
                        {"path": "/who", "redirect": "/{scheme}/{client}"},
                    ],
                },
                "sticky": {
                    "client_from": "forwarded",
                    "domains": [STICKY],
                    "production": {"instances": [instance.address], "balance": "sticky"},
                },
            },
        }
        yield stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("named")))


def said(*lines: str) -> tuple[str, ...]:
    return lines or ("X-Forwarded-For: 198.51.100.66, 203.0.113.7", "X-Forwarded-Proto: https")


def test_the_fields_are_about_the_client_that_the_proxy_names(door: FrontDoor) -> None:
    # spec: H1, H3
    seen = Echo(door.ask(get("/", *said(), host=NAMED)))
    assert seen.one("x-real-ip") == seen.one("x-forwarded-for") == "203.0.113.7"
    assert seen.one("x-forwarded-proto") == "https"
    assert forwarded(seen.one("forwarded")) == {"for": "203.0.113.7", "host": NAMED, "proto": "https"}


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.7, 10.1.2.3", "203.0.113.7"),  # through a second proxy that is trusted
        ("10.1.2.3", "10.1.2.3"),  # a client in a trusted network
        ("10.1.2.3, 127.0.0.9", "10.1.2.3"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("203.0.113.7, unknown", "127.0.0.1"),
        ("203.0.113.7, 300.1.1.1", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_is_not_trusted(door: FrontDoor, chain: str, client: str) -> None:
    # spec: H3
    seen = Echo(door.ask(get("/", f"X-Forwarded-For: {chain}", host=NAMED)))
    assert seen.one("x-real-ip") == seen.one("x-forwarded-for") == client


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        ("https", "https"),
        ("http", "http"),
        ("HTTPS", "https"),
        ("http, https", "https"),
        ("wss", "https"),
        ("x", "http"),
    ],
)
def test_the_scheme_is_the_nearest_proxys_word(door: FrontDoor, proto: str, scheme: str) -> None:
    # spec: H3
    seen = Echo(door.ask(get("/", f"X-Forwarded-Proto: {proto}", host=NAMED)))
    assert seen.one("x-forwarded-proto") == scheme


def test_nobody_else_is_believed(door: FrontDoor) -> None:
    # spec: H3
    with Client(("::1", door.port("http", "[::1]"))) as client:
        seen = Echo(client.ask(get("/", *said(), "X-Real-IP: 203.0.113.7", host=NAMED)))
    assert seen.one("x-real-ip") == seen.one("x-forwarded-for") == "::1"
    assert seen.one("x-forwarded-proto") == "http"
    assert "203.0.113.7" not in str(seen.fields)


def test_a_domain_may_say_otherwise_than_its_app(door: FrontDoor) -> None:
    # spec: H3
    seen = Echo(door.ask(get("/", *said(), host=OWN)))
    assert seen.one("x-real-ip") == seen.one("x-forwarded-for") == "127.0.0.1"
    assert seen.one("x-forwarded-proto") == "http"


def test_behind_a_cdn_the_chain_goes_on(door: FrontDoor) -> None:
    # spec: H2
    seen = Echo(door.ask(get("/", *said(), host=BOTH)))
    assert seen.one("x-forwarded-for") == "198.51.100.66, 203.0.113.7, 127.0.0.1"
    assert seen.one("x-real-ip") == "203.0.113.7"
    assert seen.one("x-forwarded-proto") == "https"


def test_the_log_has_the_client(door: FrontDoor) -> None:
    door.ask(get("/logged", *said(), host=NAMED))
    entry = door.wait_log(target="/logged")
    assert (entry["client"], entry["scheme"]) == ("203.0.113.7", "https")


def test_guards_and_limits_go_by_the_client(door: FrontDoor) -> None:
    # spec: P3, L7
    inside, outside = "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 203.0.113.7, 198.51.100.7"
    assert door.ask(get("/office/", inside, host=NAMED)).status == 200
    assert door.ask(get("/office/", outside, host=NAMED)).status == 403
    statuses = [door.ask(get("/seldom", "X-Forwarded-For: 203.0.113.20", host=NAMED)).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert door.ask(get("/seldom", "X-Forwarded-For: 203.0.113.21", host=NAMED)).status == 200


def test_placeholders_and_redirects_go_by_the_client(door: FrontDoor) -> None:
    assert door.ask(get("/who", *said(), host=NAMED)).one("location") == b"/https/203.0.113.7"
    assert door.ask(get("/x", *said(), host=MOVED)).one("location") == b"https://" + NAMED.encode() + b"/x"
    assert door.ask(get("/x", host=MOVED)).one("location") == b"http://" + NAMED.encode() + b"/x"


def test_a_cookie_is_secure_where_the_client_is(door: FrontDoor) -> None:
    assert b"Secure" in door.ask(get("/", *said(), host=STICKY)).one("set-cookie")
    assert b"Secure" not in door.ask(get("/", host=STICKY)).one("set-cookie")


def test_a_redirect_to_https_goes_by_the_proxys_word(door: FrontDoor) -> None:
    # spec: T3
    assert door.ask(get("/", "X-Forwarded-Proto: https", host=FORCED)).status == 200
    assert door.ask(get("/", host=FORCED)).status == 200  # a proxy that says nothing is never redirected
    redirected = door.ask(get("/", "X-Forwarded-Proto: http", host=FORCED))
    assert (redirected.status, redirected.one("location")) == (301, b"https://forced.example.com/")
    assert not redirected.has(HSTS)


def test_hsts_goes_out_where_the_client_uses_https(door: FrontDoor, authority: Authority) -> None:
    response = door.ask(get("/", "X-Forwarded-Proto: https", host=FORCED))
    assert response.one(HSTS) == b"max-age=172800; includeSubDomains"
    assert not door.ask(get("/", host=FORCED)).has(HSTS)
    assert not door.ask(get("/", "X-Forwarded-Proto: https", host=OWN)).has(HSTS)
    with door.connect_tls(authority.context(), OWN) as client:
        assert client.ask(get("/", host=OWN)).one(HSTS) == b"max-age=31536000"
        assert client.ask(get("/office/", host=OWN)).one(HSTS) == b"max-age=31536000"  # on our own replies, too
        assert client.ask(get("/own-hsts", host=OWN)).one(HSTS) == b"max-age=1"
    assert not door.ask(get("/", host=NAMED)).has(HSTS)
