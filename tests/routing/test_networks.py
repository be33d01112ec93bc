"""Whether an address is in one of many networks."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.routing.networks import Networks

NETWORKS = [
    ip_network(text) for text in ("10.0.0.0/8", "192.0.2.128/25", "198.51.100.7/32", "2001:db8::/32", "::1/128")
]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (b"10.255.255.255", True),
        (b"11.0.0.0", False),
        (b"192.0.2.127", False),
        (b"192.0.2.128", True),
        (b"198.51.100.7", True),
        (b"198.51.100.6", False),
        (b"2001:db8:ffff::1", True),
        (b"2001:db9::", False),
        (b"::1", True),
        (b"::", False),
    ],
)
def test_the_edges_of_networks(address: bytes, expected: bool) -> None:
    # spec: H2
    assert (address in Networks(NETWORKS)) is expected


def test_no_network_holds_nothing_and_that_of_everything_all() -> None:
    assert b"10.0.0.1" not in Networks(())
    assert b"10.0.0.1" in Networks([ip_network("0.0.0.0/0")])
    assert b"::1" not in Networks([ip_network("0.0.0.0/0")])


@given(st.ip_addresses())
def test_it_says_what_the_standard_library_says(address: object) -> None:
    text = str(address)
    expected = any(ip_address(text) in network for network in NETWORKS)
    assert (text.encode() in Networks(NETWORKS)) is expected
