"""The proxies whose word counts: networks, and sets of them by name, which ship with the package.

A set has the day on which it was compared with what its owner publishes. This file knows networks and dates; it must
not know who is trusted on which domain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BeforeValidator

from lb.config.addresses import parse_network
from lb.config.problems import quoted
from lb.config.suggest import any_of, nearest
from lb.config.units import BadValueError

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class NamedSet:
    """Networks under one name. `published` is where the owner lists them, and `as_of` when they were compared; None for
    a set that never changes.
    """

    networks: tuple[Network, ...]
    published: str = ""
    as_of: date | None = None


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for line in texts for text in line.split())


NAMED_SETS = {
    "cloudflare": NamedSet(
        _networks(
            "173.245.48.0/20 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 141.101.64.0/18 108.162.192.0/18",
            "190.93.240.0/20 188.114.96.0/20 197.234.240.0/22 198.41.128.0/17 162.158.0.0/15 104.16.0.0/13",
            "104.24.0.0/14 172.64.0.0/13 131.0.72.0/22",
            "2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32 2405:8100::/32 2a06:98c0::/29 2c0f:f248::/32",
        ),
        "https://www.cloudflare.com/ips",
        date(2026, 10, 5),
    ),
    "fastly": NamedSet(
        _networks(
            "23.235.32.0/20 43.249.72.0/22 103.244.50.0/24 103.245.222.0/23 103.245.224.0/24 104.156.80.0/20",
            "140.248.64.0/18 140.248.128.0/17 146.75.0.0/17 151.101.0.0/16 157.52.64.0/18 167.82.0.0/17",
            "167.82.128.0/20 167.82.160.0/20 167.82.224.0/20 172.111.64.0/18 185.31.16.0/22 199.27.72.0/21",
            "199.232.0.0/16 2a04:4e40::/32 2a04:4e42::/32",
        ),
        "https://api.fastly.com/public-ip-list",
        date(2026, 9, 23),
    ),
    "private": NamedSet(
        _networks("127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 ::1/128 fc00::/7 fe80::/10")
    ),
}


def _trusted(value: object) -> object:
    """A network, or the name of a set."""
    if not isinstance(value, str) or not value.strip().replace("_", "").isalpha():
        return parse_network(value)
    name = value.strip().lower()
    if name in NAMED_SETS:
        return name
    near = nearest(name, NAMED_SETS)
    hint = f"did you mean {near}?" if near else f"write {any_of(NAMED_SETS)}, or the networks that the CDN publishes"
    raise BadValueError(f"{quoted(value)} is not the name of a set of networks", hint)


TrustedProxy = Annotated[Network | str, BeforeValidator(_trusted, json_schema_input_type=str)]


def trusted_networks(proxies: Iterable[Network | str]) -> tuple[Network, ...]:
    """The networks themselves, those of the named sets included."""
    return tuple(
        network for proxy in proxies for network in (NAMED_SETS[proxy].networks if isinstance(proxy, str) else (proxy,))
    )


def ages(proxies: Iterable[Network | str], today: date) -> list[str]:
    """How old each named set that changes is, in words."""
    lines = []
    for name in dict.fromkeys(proxy for proxy in proxies if isinstance(proxy, str)):
        known = NAMED_SETS[name]
        if known.as_of is not None:
            days = max((today - known.as_of).days, 0)
            age = "today's" if not days else f"{days} day{'' if days == 1 else 's'} old"
            lines.append(
                f"trusted_proxies: {name} is the list of {known.as_of} ({age}, {len(known.networks)} networks); "
                f"{known.published} has the current one"
            )
    return lines
