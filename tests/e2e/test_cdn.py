"""Behind a CDN: whom the front door believes, and what it makes of it. Clause H2, and H3 where trust is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.harness.client import Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import forwarded
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo

CDN = "cdn.example.com"
PLAIN = "plain.example.com"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    """127.0.0.0/8 is the CDN's network, ::1 is not; one domain is behind the CDN and one is not."""
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        config = configure(
            instance.address,
            domains=({"name": CDN, "cdn": True}, PLAIN),
            listen={"http": ["127.0.0.1:0", "[::1]:0"]},
            trusted_proxies=["127.0.0.0/8", "2001:db8::/32"],
        )
        yield stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("cdn")))


@pytest.mark.parametrize(
    ("said", "chain"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.7"], "203.0.113.7, 127.0.0.1"),
        (["203.0.113.7, 198.51.100.2"], "203.0.113.7, 198.51.100.2, 127.0.0.1"),
        (["203.0.113.7", "198.51.100.2"], "203.0.113.7, 198.51.100.2, 127.0.0.1"),
        (["2001:db8::7"], "2001:db8::7, 127.0.0.1"),
    ],
)
def test_the_chain_is_kept_and_the_cdn_appended(door: FrontDoor, said: list[str], chain: str) -> None:
    # spec: H2
    seen = Echo(door.ask(get("/", *[f"X-Forwarded-For: {value}" for value in said], host=CDN)))
    values = [part.strip() for value in seen.all("x-forwarded-for") for part in value.split(",")]
    assert ", ".join(values) == chain


def test_the_other_fields_describe_the_connection_of_the_cdn(door: FrontDoor) -> None:
    # spec: H2
    lines = (
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Proto: https",
        "X-Real-IP: 203.0.113.7",
        "Forwarded: for=203.0.113.7",
    )
    seen = Echo(door.ask(get("/", *lines, host=CDN)))
    assert seen.one("x-real-ip") == "127.0.0.1"
    assert seen.one("x-forwarded-proto") == "http"
    assert forwarded(seen.one("forwarded")) == {"for": "127.0.0.1", "host": CDN, "proto": "http"}


def test_underscores_do_not_get_into_the_chain(door: FrontDoor) -> None:
    # spec: H2, H3
    seen = Echo(door.ask(get("/", "X_Forwarded_For: 6.6.6.6", "X-Forwarded_For: 6.6.6.6", host=CDN)))
    assert "6.6.6.6" not in str(seen.fields)
    assert seen.one("x-forwarded-for") == "127.0.0.1"


def test_a_domain_without_cdn_drops_the_chain_of_a_trusted_peer(door: FrontDoor) -> None:
    # spec: H3
    seen = Echo(door.ask(get("/", "X-Forwarded-For: 203.0.113.7", host=PLAIN)))
    assert seen.one("x-forwarded-for") == "127.0.0.1"


def test_a_peer_that_is_not_trusted_is_dropped_on_a_cdn_domain(door: FrontDoor) -> None:
    # spec: H3
    with Client(("::1", door.port("http", "[::1]"))) as client:
        seen = Echo(client.ask(get("/", "X-Forwarded-For: 203.0.113.7", "X-Real-IP: 203.0.113.7", host=CDN)))
    assert seen.one("x-forwarded-for") == "::1"
    assert "203.0.113.7" not in str(seen.fields)


def test_the_decision_is_made_for_each_request(door: FrontDoor) -> None:
    # spec: H2, H3; attack 24
    with door.connect() as client:
        for host, chain in ((CDN, "203.0.113.7, 127.0.0.1"), (PLAIN, "127.0.0.1"), (CDN, "203.0.113.7, 127.0.0.1")):
            seen = Echo(client.ask(get("/", "X-Forwarded-For: 203.0.113.7", host=host)))
            assert seen.one("x-forwarded-for") == chain
