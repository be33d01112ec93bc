"""Named sets of networks: how they are written, what they contain, how old they are."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lb.config.trusted_proxies import NAMED_SETS, TrustedProxy, ages, trusted_networks

_READ = TypeAdapter[Any](TrustedProxy)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("cloudflare", "cloudflare"),
        (" Fastly ", "fastly"),
        ("10.0.0.0/8", ip_network("10.0.0.0/8")),
        ("2001:db8::/32", ip_network("2001:db8::/32")),
        ("::1", ip_network("::1/128")),
    ],
)
def test_a_set_or_a_network(written: str, read: object) -> None:
    assert _READ.validate_python(written) == read


@pytest.mark.parametrize(
    ("written", "says"),
    [("cloudflair", "did you mean cloudflare"), ("akamai", "cloudflare, fastly or private"), (1, "")],
)
def test_what_is_neither(written: object, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _READ.validate_python(written)
    assert says in caught.value.errors()[0]["ctx"]["error"].hint


def test_a_set_stands_for_its_networks() -> None:
    own = ip_network("192.0.2.0/24")
    networks = trusted_networks(["cloudflare", own])
    assert networks[-1] == own
    assert networks[:-1] == NAMED_SETS["cloudflare"].networks
    assert ip_network("173.245.48.0/20") in networks


@pytest.mark.parametrize("name", NAMED_SETS)
def test_a_set_is_of_separate_networks(name: str) -> None:
    networks = NAMED_SETS[name].networks
    assert len(networks) == len(set(networks)) > 0
    for one in networks:
        assert one.prefixlen >= 7
        assert not any(one.version == other.version and one.subnet_of(other) for other in networks if other != one)  # type: ignore[arg-type]


def test_sets_say_how_old_they_are() -> None:
    as_of = NAMED_SETS["cloudflare"].as_of
    assert as_of is not None
    said = ages(
        ["cloudflare", "private", ip_network("10.0.0.0/8"), "cloudflare"], date.fromordinal(as_of.toordinal() + 40)
    )
    assert len(said) == 1
    assert f"cloudflare is the list of {as_of} (40 days old, 22 networks); https://" in said[0]
    assert "(today's, " in ages(["cloudflare"], as_of)[0]
    assert "(1 day old, " in ages(["cloudflare"], date.fromordinal(as_of.toordinal() + 1))[0]
