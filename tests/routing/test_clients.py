"""Who counts as one client, as tables."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from lb.routing.clients import Clients, client_behind
from lb.routing.networks import Networks

# spec: L5

TRUSTED = Networks([ip_network("10.0.0.0/8"), ip_network("2001:db8:cd::/48")])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"192.0.2.1", b"192.0.2.1", True),
        (b"192.0.2.1", b"192.0.2.2", False),
        (b"192.0.2.1", b"::ffff:192.0.2.1", True),
        (b"192.0.2.1", b"::FFFF:c000:201", True),
        (b"2001:db8:1:2::1", b"2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        (b"2001:db8:1:2::1", b"2001:db8:1:3::1", False),
        (b"2001:db8::", b"2001:0db8:0:0:1::", True),
        (b"::1", b"0:0:0:0:0:0:0:1", True),
    ],
)
def test_whether_two_addresses_are_one_client(one: bytes, other: bytes, same: bool) -> None:
    clients = Clients()
    assert (clients.key(one) == clients.key(other)) is same
    assert clients.key(one) not in (0, Clients().key(one)), "whoever knows addresses does not know keys"
    assert -(2**63) <= clients.key(one) < 2**63


@pytest.mark.parametrize("text", [b"", b"unknown", b"_hidden", b"1.2.3", b"1.2.3.4.5", b"::1::", b"\xff", b"01.2.3.4"])
def test_what_is_no_address_has_no_key(text: bytes) -> None:
    assert Clients().key(text) == 0


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"203.0.113.7", b"203.0.113.7"),
        (b"203.0.113.7, 10.1.1.1", b"203.0.113.7"),
        (b"203.0.113.7,10.1.1.1 , 10.2.2.2", b"203.0.113.7"),
        (b"198.51.100.9, 203.0.113.7", b"203.0.113.7"),  # what stands before it, anyone can have said
        (b"10.9.9.9, 203.0.113.7, 10.1.1.1", b"203.0.113.7"),
        (b"garbage, 203.0.113.7", b"203.0.113.7"),
        (b"203.0.113.7:4711", b"203.0.113.7"),
        (b"[2001:db8::7]:4711", b"2001:db8::7"),
        (b"[2001:db8::7]", b"2001:db8::7"),
        (b"2001:db8::7, 2001:db8:cd::1", b"2001:db8::7"),
        (b"::ffff:203.0.113.7", b"203.0.113.7"),
        (b"203.0.113.7, ::ffff:10.0.0.1", b"203.0.113.7"),
        (b"::ffff:cb00:7107", b"::ffff:cb00:7107"),
        (b"203.0.113.7, unknown", b""),
        (b"10.1.1.1", b""),
        (b"10.1.1.1, 10.2.2.2", b""),
        (b"", b""),
        (b",", b""),
        (b"203.0.113.7" + b", 10.0.0.1" * 15, b"203.0.113.7"),
        (b"203.0.113.7" + b", 10.0.0.1" * 16, b""),
        (b"203.0.113.7" + b", 10.0.0.1" * 500, b""),  # no chain is so long, and each costs something
    ],
)
def test_who_a_trusted_proxy_speaks_for(chain: bytes, client: bytes) -> None:
    # spec: H2
    assert client_behind(chain, TRUSTED) == client
